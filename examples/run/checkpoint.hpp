// Checkpoints: the whole state of a run after a step, from which it resumes to the bit.
//
// A checkpoint is a safetensors file. Every worker's state has a scope of its own, "worker.3/…";
// the scope "run/" has what belongs to no worker. The file's metadata tell what the state is of:
// format, program, step, configuration, data, instruction set, and the length of the log.
// docs/checkpoints.md lists the state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "examples/run/config.hpp"
#include "examples/run/fingerprint.hpp"
#include "tersegrad/core/safetensors.hpp"

namespace terse::run {

// The state of one worker, or of what belongs to no worker: a safetensors file in memory. Without a
// scope, its arrays have scopes of their own.
struct StatePart {
  std::string scope;
  std::vector<std::byte> bytes;
};

// The state of a run after `step` steps, before their report and evaluation.
struct RunState {
  std::int64_t step = 0;
  std::uint64_t log_bytes = 0;  // length of log.jsonl
  std::vector<StatePart> parts;
};

// What a checkpoint says of its run.
struct RunLabel {
  RunConfig config;
  Fingerprint data = {};
  std::string task;  // shape of the data, by which a model can be made: see trained_model.hpp
};

void write_checkpoint(std::ostream& out, const RunState& state, const RunLabel& label);

class Checkpoint {
 public:
  // Reads the newest checkpoint of a run folder. If it is damaged, prints a line to standard error
  // and reads the one before. Throws Error if there is no sound one, or if the newest was made by a
  // newer program.
  static Checkpoint of_folder(const std::filesystem::path& folder);
  // Throws Error for a file that is damaged or not a checkpoint.
  explicit Checkpoint(const std::filesystem::path& file);
  Checkpoint(std::filesystem::path file, std::vector<std::byte> bytes);  // the file's contents
  // Whether the metadata state that the file is a checkpoint. It may be damaged.
  static bool is_checkpoint(const Safetensors& file);

  const std::filesystem::path& file() const { return file_; }
  std::int64_t step() const { return step_; }
  std::uint64_t log_bytes() const { return log_bytes_; }
  std::uint64_t hash() const { return hash_; }  // of metadata and arrays
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const Safetensors& arrays() const { return *arrays_; }

  bool has(std::string_view scope) const;
  std::vector<std::string> worker_scopes() const;  // "worker.0", … in ascending order
  // Loads one part. Throws Error, with the file and the item, if an item is missing, left over or
  // of another type or length.
  void load(std::string_view scope, Serialize serialize) const;
  // Throws Error if the checkpoint was made with other data.
  void check_data(const Fingerprint& data) const;

 private:
  std::string text(const std::string& key) const;  // of the metadata

  std::filesystem::path file_;
  std::unique_ptr<const std::vector<std::byte>> bytes_;
  std::unique_ptr<const Safetensors> arrays_;  // refers to bytes_
  std::map<std::string, std::string> metadata_;
  std::int64_t step_ = 0;
  std::uint64_t log_bytes_ = 0, hash_ = 0;
};

}  // namespace terse::run
