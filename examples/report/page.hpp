// A page about runs: one HTML file with the data of all of them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace terse::run {

inline constexpr const char* kPageFile = "report.html";  // in a folder of runs

struct PageSummary {
  std::size_t bytes = 0, runs = 0;
};

// Writes the page of these run folders, or folders of run folders, to `out`, and replaces a file
// that is there. `command` is the one that makes the page. Throws Error for a folder without
// config.json or log.jsonl, and for a log with a line that is no JSON object in the middle; what
// else is missing or unknown is noted on the page.
PageSummary write_report(const std::vector<std::filesystem::path>& runs,
                         const std::filesystem::path& out, std::string command);

// The data of the page.
nlohmann::json page_data(const std::vector<std::filesystem::path>& runs, std::string command);
// The page with these data. Every "<" in them is written as \u003c, so that no string can end the
// element that holds them.
std::string page_text(const nlohmann::json& data);

// The template, with the placeholder {{data}}. The build makes it of the folder pages/.
std::string_view page_template();

}  // namespace terse::run
