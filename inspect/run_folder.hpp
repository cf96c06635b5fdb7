// A run's folder: config.json, and log.jsonl with one line a report.
//
// Timings of a line stand in its "time" object; everything else repeats bit for bit with the seed.
// A folder that holds a run already is refused: nothing is overwritten.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "tersegrad/inspect/files.hpp"

namespace terse {

class RunFolder {
 public:
  // Makes the folder and writes config.json, complete or not at all. Error if it cannot be written
  // to, holds a run, or belongs to another process.
  RunFolder(const std::filesystem::path& folder, const nlohmann::json& config);

  // A run that has logged nothing leaves nothing behind, so that the next one may have the folder.
  ~RunFolder();

  // Appends a line, and hands it to the system at once.
  void log(const nlohmann::json& line);
  // The run is over: every line is on the disk. Error if it is not.
  void finish() { log_->finish(); }

  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  OutputFolder folder_;
  std::optional<LineFile> log_;
  std::int64_t lines_ = 0;
};

}  // namespace terse
