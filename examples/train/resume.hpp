// train --resume: continues the run of a folder.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "examples/run/checkpoint.hpp"
#include "examples/run/config.hpp"

namespace terse::run {

// The folder that --resume names, found before the flags are parsed: their defaults are its values.
std::optional<std::string> resumed_folder(int argc, char** argv);
// The folder's config.json, and the configuration that it holds. Throw Error with the file's name if
// it cannot be read or is not one of train.
nlohmann::json read_config(const std::filesystem::path& folder);
RunConfig config_of(const std::filesystem::path& folder);

// A run that continues.
struct Continuation {
  std::filesystem::path folder;
  Checkpoint checkpoint;
  nlohmann::json config;  // to write: the values in effect, and the list of the run's resumes
};

// Reads the folder's newest sound checkpoint. `now` is the completed configuration of the
// continuation. Throws UsageError, with the flag, for a value that may not change, and notes on
// standard error what makes the result differ from that of a run without a pause, if it speaks.
Continuation continue_run(const std::filesystem::path& folder, const RunConfig& now, bool speaks);

}  // namespace terse::run
