#include "examples/run/checkpoint.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "examples/run/output.hpp"
#include "examples/run/version.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/core/simd/isa.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/inspect/run_folder.hpp"

namespace terse::run {
namespace {

constexpr const char* kFormat = "tersegrad checkpoint";
constexpr std::int64_t kFormatNumber = 1;

std::string in_scope(std::string_view scope, std::string_view name) {
  return scope.empty() ? std::string(name) : fmt::format("{}/{}", scope, name);
}

// The hash of the metadata, without the hash itself, and of all arrays with their names, in the
// order of the names.
std::uint64_t hash_of(const std::map<std::string, std::string>& metadata,
                      const std::map<std::string, std::span<const std::byte>>& arrays) {
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };
  const std::unique_ptr<XXH3_state_t, Free> state(XXH3_createState());
  XXH3_64bits_reset(state.get());
  const auto add = [&](std::string_view name, std::span<const std::byte> data) {
    const std::array<std::uint64_t, 2> sizes = {name.size(), data.size()};
    XXH3_64bits_update(state.get(), sizes.data(), sizeof sizes);
    XXH3_64bits_update(state.get(), name.data(), name.size());
    XXH3_64bits_update(state.get(), data.data(), data.size());
  };
  for (const auto& [key, text] : metadata) {
    if (key != "hash") add(key, std::as_bytes(std::span(text)));
  }
  for (const auto& [name, data] : arrays) add(name, data);
  return XXH3_64bits_digest(state.get());
}

// The file is of a newer program; an older checkpoint would be a step back that nobody asked for.
class NewerFormat : public Error {
  using Error::Error;
};

}  // namespace

void write_checkpoint(std::ostream& out, const RunState& state, const RunLabel& label) {
  std::vector<ArrayToWrite> arrays;
  for (const auto& part : state.parts) {
    const Safetensors file(part.scope, part.bytes);
    for (const auto& [name, array] : file.arrays()) {
      arrays.push_back({in_scope(part.scope, name), array.type, array.shape, array.data});
    }
  }
  std::map<std::string, std::span<const std::byte>> by_name;
  for (const auto& array : arrays) by_name.emplace(array.name, array.data);
  std::map<std::string, std::string> metadata = {{"format", kFormat},
                                                 {"format_number", std::to_string(kFormatNumber)},
                                                 {"program", std::string(program_version())},
                                                 {"step", std::to_string(state.step)},
                                                 {"log_bytes", std::to_string(state.log_bytes)},
                                                 {"config", json_text(to_json(label.config))},
                                                 {"data", to_string(label.data)},
                                                 {"task", label.task},
                                                 {"isa", std::string(isa_name(isa()))}};
  metadata["hash"] = fmt::format("{:016x}", hash_of(metadata, by_name));
  write_safetensors(out, arrays, metadata);
}

std::string Checkpoint::text(const std::string& key) const {
  const auto found = metadata_.find(key);
  check(found != metadata_.end(), "'{}': expected a text {} in the metadata of a checkpoint",
        file_.string(), key);
  return found->second;
}

bool Checkpoint::is_checkpoint(const Safetensors& file) {
  const auto format = file.metadata().find("format");
  return format != file.metadata().end() && format->second == kFormat;
}

Checkpoint::Checkpoint(const std::filesystem::path& file) : Checkpoint(file, read_file(file)) {}

Checkpoint::Checkpoint(std::filesystem::path file, std::vector<std::byte> bytes)
    : file_(std::move(file)),
      bytes_(std::make_unique<const std::vector<std::byte>>(std::move(bytes))) {
  arrays_ = std::make_unique<const Safetensors>(fmt::format("'{}'", file_.string()), *bytes_);
  metadata_ = arrays_->metadata();
  check(is_checkpoint(*arrays_),
        "'{}': expected a checkpoint of a run; got another safetensors file", file_.string());
  const auto number = [&]<class T>(const std::string& key, T& value) {
    const auto digits = text(key);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    check(error == std::errc() && end == digits.data() + digits.size() && value >= 0,
          "'{}': metadata {}: expected a whole number; got '{}'", file_.string(), key, digits);
  };
  std::int64_t format = 0;
  number("format_number", format);
  if (format > kFormatNumber) {
    throw NewerFormat(
        fmt::format("'{}': expected format {} or older; got {}: a newer program, {}, has made it",
                    file_.string(), kFormatNumber, format, text("program")));
  }
  number("step", step_);
  number("log_bytes", log_bytes_);
  std::map<std::string, std::span<const std::byte>> by_name;
  for (const auto& [name, array] : arrays_->arrays()) by_name.emplace(name, array.data);
  hash_ = hash_of(metadata_, by_name);
  const auto stated = text("hash");
  check(stated == fmt::format("{:016x}", hash_),
        "'{}': expected contents with the hash {}; got {:016x}: the file is damaged",
        file_.string(), stated, hash_);
}

Checkpoint Checkpoint::of_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  check(std::filesystem::is_directory(folder, ignored), "'{}': expected the folder of a run",
        folder.string());
  const auto newest = folder / kCheckpointFile, previous = folder / kPreviousCheckpointFile;
  const bool has_newest = std::filesystem::exists(newest, ignored);
  const bool has_previous = std::filesystem::exists(previous, ignored);
  check(has_newest || has_previous,
        "'{}': expected a file {}; there is none: the run ended before its first checkpoint, or "
        "the file was removed; start the run again in another folder",
        folder.string(), kCheckpointFile);
  std::string damage = fmt::format("there is no {}", kCheckpointFile);
  try {
    if (has_newest) return Checkpoint(newest);
  } catch (const NewerFormat&) {
    throw;
  } catch (const Error& error) {
    damage = error.what();
  }
  check(has_previous, "{}; and there is no {}", damage, kPreviousCheckpointFile);
  try {
    Checkpoint older(previous);
    note(
        "'{}': reading the checkpoint before the newest, of step {}, because the newest is "
        "damaged: {}\n",
        folder.string(), older.step(), damage);
    return older;
  } catch (const NewerFormat&) {
    throw;
  } catch (const Error& error) {
    throw Error(fmt::format("no checkpoint of the run can be read: {}; {}", damage, error.what()));
  }
}

bool Checkpoint::has(std::string_view scope) const {
  const auto prefix = in_scope(scope, "");
  const auto found = arrays_->arrays().lower_bound(prefix);
  return found != arrays_->arrays().end() && found->first.starts_with(prefix);
}

std::vector<std::string> Checkpoint::worker_scopes() const {
  constexpr std::string_view kWorker = "worker.";
  std::vector<std::pair<int, std::string>> found;
  for (const auto& [name, array] : arrays_->arrays()) {
    if (!name.starts_with(kWorker)) continue;
    const auto scope = name.substr(0, name.find('/'));
    if (!found.empty() && found.back().second == scope) continue;
    int worker = 0;
    std::from_chars(scope.data() + kWorker.size(), scope.data() + scope.size(), worker);
    found.emplace_back(worker, scope);
  }
  std::ranges::sort(found);
  std::vector<std::string> scopes;
  for (auto& [worker, scope] : found) scopes.push_back(std::move(scope));
  return scopes;
}

void Checkpoint::load(std::string_view scope, Serialize serialize) const {
  const Safetensors part = arrays_->in_scope(scope);
  LoadArchive archive(part);
  serialize(archive);
  archive.expect_all_loaded();
}

void Checkpoint::check_data(const Fingerprint& data) const {
  const auto stated = text("data"), given = to_string(data);
  check(stated == given, "'{}': expected the data of the run, {}; got {}", file_.string(), stated,
        given);
}

}  // namespace terse::run
