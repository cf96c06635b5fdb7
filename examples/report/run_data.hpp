// The data of one run on a page.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/report/limits.hpp"
#include "examples/report/traffic.hpp"

namespace terse::run {

struct RunData {
  std::string name;  // of its folder, as it was given
  nlohmann::json config;
  nlohmann::json json;             // an entry of "runs", without its label
  std::vector<std::string> notes;  // what is missing or unknown
};

// Throws Error if config.json or log.jsonl is missing or cannot be read.
RunData read_run_data(const std::filesystem::path& folder, const PageLimits& limits,
                      ModelShapes& models);

}  // namespace terse::run
