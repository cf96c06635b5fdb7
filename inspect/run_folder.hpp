// The output folder of a training run: config.json, and log.jsonl with one line per report.
//
// All timings of a line are in its "time" object; the rest is bit-identical in every run with the
// same seed. A folder that already contains a run is rejected, so nothing is overwritten.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "tersegrad/core/files.hpp"

namespace terse {

class RunFolder {
 public:
  // Creates the folder and writes config.json atomically. Throws Error if the folder cannot be
  // written to, contains a run already, or is locked by another process.
  RunFolder(const std::filesystem::path& folder, const nlohmann::json& config);

  // Removes the files of a run that has logged nothing, so that the folder can be used again.
  ~RunFolder();

  // Appends a line to log.jsonl, unbuffered.
  void log(const nlohmann::json& line);
  // Ends the log: waits until every line is on disk. Throws Error if that fails.
  void finish() { log_->finish(); }

  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  OutputFolder folder_;
  std::optional<LineFile> log_;
  std::int64_t lines_ = 0;
};

}  // namespace terse
