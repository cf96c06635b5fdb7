#include "examples/inspect/array_file.hpp"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/inspect/run_folder.hpp"
#include "tersegrad/optim/packet.hpp"

namespace terse::run {
namespace {

constexpr const char* kKinds =
    "expected the folder of a run, a safetensors file or the bytes of a packet";

// Whether the bytes begin as a safetensors file does: a length, and a JSON object.
bool begins_as_safetensors(std::span<const std::byte> bytes) {
  constexpr std::size_t kLength = sizeof(std::uint64_t);
  return bytes.size() > kLength && std::to_integer<char>(bytes[kLength]) == '{';
}

}  // namespace

bool is_run_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path / kConfigFile, ignored);
}

void check_no_folder(const std::filesystem::path& path) {
  std::error_code ignored;
  check(!std::filesystem::is_directory(path, ignored), "'{}': {}; got a folder without {}",
        path.string(), kKinds, kConfigFile);
}

// The length of a safetensors header is below 2^32, and a packet's kind is not 0.
bool is_packet(std::span<const std::byte> bytes) {
  std::uint32_t words[2] = {};
  if (bytes.size() < sizeof words) return false;
  std::memcpy(words, bytes.data(), sizeof words);
  constexpr std::uint32_t kMagic = Packet::kMagicVersion & 0xffffffU;  // of every version
  return (words[0] & 0xffffffU) == kMagic && words[1] != 0;
}

ArrayFile::ArrayFile(const std::filesystem::path& file, std::vector<std::byte> bytes)
    : path_(file), size_(bytes.size()) {
  check(begins_as_safetensors(bytes), "'{}': {}; got another file", file.string(), kKinds);
  const auto name = fmt::format("'{}'", file.string());
  if (Checkpoint::is_checkpoint(Safetensors(name, bytes))) {
    checkpoint_.emplace(file, std::move(bytes));
    return;
  }
  bytes_ = std::make_unique<const std::vector<std::byte>>(std::move(bytes));
  arrays_ = std::make_unique<const Safetensors>(name, *bytes_);
}

ArrayFile::ArrayFile(Checkpoint checkpoint)
    : path_(checkpoint.file()),
      size_(static_cast<std::size_t>(std::filesystem::file_size(path_))),
      checkpoint_(std::move(checkpoint)) {}

ArrayFile ArrayFile::open(const std::filesystem::path& path) {
  if (is_run_folder(path)) return ArrayFile(Checkpoint::of_folder(path));
  check_no_folder(path);
  auto bytes = read_file(path);
  check<UsageError>(!is_packet(bytes),
                    "--diff: expected checkpoints, other safetensors files or run folders; '{}' "
                    "is a packet",
                    path.string());
  return {path, std::move(bytes)};
}

const std::map<std::string, StoredArray>& ArrayFile::arrays() const {
  return checkpoint_ ? checkpoint_->arrays().arrays() : arrays_->arrays();
}

const std::map<std::string, std::string>& ArrayFile::metadata() const {
  return checkpoint_ ? checkpoint_->metadata() : arrays_->metadata();
}

std::optional<std::int64_t> ArrayFile::step() const {
  return checkpoint_ ? std::optional(checkpoint_->step()) : std::nullopt;
}

}  // namespace terse::run
