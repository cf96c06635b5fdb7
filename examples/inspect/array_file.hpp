// Files of named arrays: checkpoints and other safetensors files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "examples/run/checkpoint.hpp"
#include "tersegrad/core/safetensors.hpp"

namespace terse::run {

class ArrayFile {
 public:
  // `bytes` are the file's contents. Throws Error if they are damaged or not a safetensors file.
  ArrayFile(const std::filesystem::path& file, std::vector<std::byte> bytes);
  explicit ArrayFile(Checkpoint checkpoint);
  // The file, or the newest sound checkpoint of a run folder. Throws UsageError for a packet, Error
  // for anything else.
  static ArrayFile open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::size_t bytes() const { return size_; }
  const std::map<std::string, StoredArray>& arrays() const;
  const std::map<std::string, std::string>& metadata() const;
  std::optional<std::int64_t> step() const;  // of a checkpoint
  bool is_checkpoint() const { return checkpoint_.has_value(); }

 private:
  std::filesystem::path path_;
  std::size_t size_;
  // Either a checkpoint, or the bytes of another file and the arrays that refer to them.
  std::optional<Checkpoint> checkpoint_;
  std::unique_ptr<const std::vector<std::byte>> bytes_;
  std::unique_ptr<const Safetensors> arrays_;
};

bool is_run_folder(const std::filesystem::path& path);  // has a config.json
bool is_packet(std::span<const std::byte> bytes);       // begins as one
// Throws Error for a folder without a run.
void check_no_folder(const std::filesystem::path& path);

}  // namespace terse::run
