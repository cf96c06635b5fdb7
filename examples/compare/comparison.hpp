// A comparison of several runs: as a table, as CSV, as JSON and as a chart.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "examples/run/training.hpp"

namespace terse::run {

// A run, or the reason why it has no result. At least one run of a comparison has one.
struct ComparedRun {
  RunConfig config;
  RunResult result;
  std::string failure = {};  // "diverged at step 412"
  std::string folder = {};   // its name in that of the comparison; empty if nothing is recorded
};

// The result of the first run that has one.
const RunResult& first_result(const std::vector<ComparedRun>& runs);

// In 80 columns. "times fewer" compares the bytes sent with those that `none` would send.
std::string table_text(const std::vector<ComparedRun>& runs);
std::string to_csv(const std::vector<ComparedRun>& runs);
nlohmann::json to_json(const std::vector<ComparedRun>& runs);

// SVG: accuracy or perplexity over the bytes that a worker has sent, one curve for each method.
std::string chart_svg(const std::vector<ComparedRun>& runs);

}  // namespace terse::run
