// Several runs side by side: the table, the same as CSV and JSON, and the picture.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "examples/run/training.hpp"

namespace terse::run {

// A run, or the reason why it has no result. At least one run of a comparison has a result.
struct ComparedRun {
  RunConfig config;
  RunResult result;
  std::string failure = "";  // "diverged at step 412"
};

// Of the first run that has one.
const RunResult& first_result(const std::vector<ComparedRun>& runs);

// For people, in 80 columns. "times fewer" compares the bytes sent with those that `none` would
// send.
std::string table_text(const std::vector<ComparedRun>& runs);
std::string to_csv(const std::vector<ComparedRun>& runs);
nlohmann::json to_json(const std::vector<ComparedRun>& runs);

// Test accuracy over the bytes that a worker has sent, a curve a method: an SVG document.
std::string chart_svg(const std::vector<ComparedRun>& runs);

}  // namespace terse::run
