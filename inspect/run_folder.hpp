// The output folder of a training run:
//
//   config.json                      the configuration, and the resumes of the run
//   log.jsonl                        one line per report
//   checkpoint.safetensors           the state from which the run can resume
//   checkpoint.previous.safetensors  the one before, in case that the newest is damaged
//   records/                         with train --record: gradients and packets of some steps
//
// All timings of a line are in its "time" object; the rest is bit-identical in every run with the
// same seed. A folder that already contains a run is rejected unless the run resumes, so nothing is
// overwritten.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "tersegrad/core/files.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse {

class RunFolder {
 public:
  // Creates the folder and writes config.json atomically. Throws Error if the folder cannot be
  // written to, contains a run already, or is locked by another process.
  RunFolder(const std::filesystem::path& folder, const nlohmann::json& config);

  // Opens the folder of a run that resumes: cuts its log to the length that it had at the
  // checkpoint, and replaces its configuration. A log that is shorter is kept.
  static RunFolder resume(const std::filesystem::path& folder, std::uint64_t log_bytes,
                          const nlohmann::json& config);
  // The same in a new folder, which gets a copy of the checkpoint and of that part of the log.
  static RunFolder resume_in(const std::filesystem::path& folder,
                             const std::filesystem::path& from_checkpoint, std::uint64_t log_bytes,
                             const nlohmann::json& config);

  RunFolder(RunFolder&& other) noexcept;
  // Removes the files of a run that has logged nothing, so that the folder can be used again.
  ~RunFolder();

  // Appends a line to log.jsonl, unbuffered.
  void log(const nlohmann::json& line);
  std::uint64_t log_bytes() const { return log_->size(); }
  // Writes a checkpoint, after the log is on disk. The file appears when it is complete. Throws
  // Error if that fails; the former checkpoints are then still there.
  void write_checkpoint(FunctionRef<void(std::ostream&)> write);
  // Ends the log: waits until every line is on disk. Throws Error if that fails.
  void finish() { log_->finish(); }

  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  explicit RunFolder(OutputFolder folder) : folder_(std::move(folder)) {}

  OutputFolder folder_;
  std::optional<LineFile> log_;
  bool keeps_ = false;  // has a line or a checkpoint
};

// The names of the files above.
inline constexpr const char* kConfigFile = "config.json";
inline constexpr const char* kLogFile = "log.jsonl";
inline constexpr const char* kCheckpointFile = "checkpoint.safetensors";
inline constexpr const char* kPreviousCheckpointFile = "checkpoint.previous.safetensors";

}  // namespace terse
