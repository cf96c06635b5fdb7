#include "examples/report/run_folders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/inspect/run_folder.hpp"

namespace terse::run {
namespace {

namespace fs = std::filesystem;

constexpr const char* kComparisonFile = "compare.json";

bool has(const fs::path& folder, const char* file) {
  std::error_code none;
  return fs::is_regular_file(folder / file, none);
}

// The runs of compare.json; empty if the file cannot be understood.
nlohmann::json listed_runs(const fs::path& folder) {
  const auto bytes = read_file(folder / kComparisonFile);
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  const auto json = nlohmann::json::parse(text, text + bytes.size(), nullptr, false);
  auto runs = nlohmann::json::array();
  if (!json.is_object() || !json.contains("runs") || !json["runs"].is_array()) return runs;
  for (const auto& run : json["runs"]) {
    if (run.is_object()) runs.push_back(run);
  }
  return runs;
}

// Empty for a run that failed at once, which has none.
fs::path folder_of(const fs::path& comparison, const nlohmann::json& run) {
  if (!run.contains("folder") || !run["folder"].is_string()) return {};
  return comparison / fs::path(run["folder"].get<std::string>()).filename();
}

std::vector<fs::path> runs_inside(const fs::path& folder) {
  std::vector<fs::path> runs;
  if (has(folder, kComparisonFile)) {
    for (const auto& run : listed_runs(folder)) {
      const auto path = folder_of(folder, run);
      if (!path.empty() && has(path, kConfigFile)) runs.push_back(path);
    }
  }
  if (!runs.empty()) return runs;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    if (has(entry.path(), kConfigFile)) runs.push_back(entry.path());
  }
  std::ranges::sort(runs);
  return runs;
}

// Without a slash at its end, which would be an empty name.
fs::path trimmed(const fs::path& folder) {
  return folder.has_filename() || !folder.has_relative_path() ? folder : folder.parent_path();
}

}  // namespace

std::vector<fs::path> run_folders(const std::vector<fs::path>& given) {
  std::vector<fs::path> all;
  for (const auto& each : given) {
    const auto folder = trimmed(each);
    std::error_code none;
    check<UsageError>(fs::is_directory(folder, none), "'{}': expected the folder of a run; {}",
                      folder.string(),
                      fs::exists(folder, none) ? "it is a file" : "it does not exist");
    const auto inside = has(folder, kConfigFile) ? std::vector{folder} : runs_inside(folder);
    check<UsageError>(!inside.empty(),
                      "'{}': expected the folder of a run, with the files {} and {} that train "
                      "--out writes, or a folder of such folders, as compare writes it",
                      folder.string(), kConfigFile, kLogFile);
    all.insert(all.end(), inside.begin(), inside.end());
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      std::error_code none;
      check<UsageError>(!fs::equivalent(all[i], all[j], none),
                        "'{}': the same run is given twice; leave one of them out",
                        all[i].string());
    }
  }
  return all;
}

std::vector<std::string> runs_without_folder(const std::vector<fs::path>& given) {
  std::vector<std::string> notes;
  for (const auto& folder : given) {
    if (has(folder, kConfigFile) || !has(folder, kComparisonFile)) continue;
    for (const auto& run : listed_runs(folder)) {
      const auto path = folder_of(folder, run);
      if (!path.empty() && has(path, kConfigFile)) continue;
      notes.push_back(fmt::format("{}: {}: {}, before its first line of the log", folder.string(),
                                  run.value("method", "a run"), run.value("failure", "it ended")));
    }
  }
  return notes;
}

}  // namespace terse::run
