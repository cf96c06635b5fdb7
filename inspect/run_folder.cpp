#include "tersegrad/inspect/run_folder.hpp"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"

namespace terse {

RunFolder::RunFolder(const std::filesystem::path& folder, const nlohmann::json& config)
    : folder_(folder) {
  for (const char* file : {kConfigFile, kLogFile, kCheckpointFile, kPreviousCheckpointFile}) {
    check(!std::filesystem::exists(folder_ / file),
          "run folder '{}': holds a run already, with a file {}; name another one, remove it, or "
          "continue the run by --resume",
          folder.string(), file);
  }
  write_file(folder_ / kConfigFile, json_text(config, 2) + "\n");
  log_.emplace(folder_ / kLogFile, LineFile::Existing::replace);
}

RunFolder RunFolder::resume(const std::filesystem::path& folder, std::uint64_t log_bytes,
                            const nlohmann::json& config) {
  RunFolder resumed{OutputFolder(folder)};
  resumed.keeps_ = true;
  resumed.log_.emplace(resumed.folder_ / kLogFile, LineFile::Existing::keep);
  if (resumed.log_->size() > log_bytes) resumed.log_->cut(log_bytes);
  write_file(resumed.folder_ / kConfigFile, json_text(config, 2) + "\n");
  return resumed;
}

RunFolder RunFolder::resume_in(const std::filesystem::path& folder,
                               const std::filesystem::path& from_checkpoint,
                               std::uint64_t log_bytes, const nlohmann::json& config) {
  const auto checkpoint = read_file(from_checkpoint);
  const auto log_file = from_checkpoint.parent_path() / kLogFile;
  std::vector<std::byte> log;
  if (std::filesystem::exists(log_file)) log = read_file(log_file);
  RunFolder resumed(folder, config);
  const std::string_view text(reinterpret_cast<const char*>(log.data()),
                              std::min<std::size_t>(log.size(), log_bytes));
  if (!text.empty()) resumed.log_->add(text.substr(0, text.size() - 1));  // ends with a line feed
  resumed.write_checkpoint([&](std::ostream& out) {
    out.write(reinterpret_cast<const char*>(checkpoint.data()),
              static_cast<std::streamsize>(checkpoint.size()));
  });
  return resumed;
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : folder_(std::move(other.folder_)),
      log_(std::move(other.log_)),
      keeps_(std::exchange(other.keeps_, true)) {}

RunFolder::~RunFolder() {
  if (keeps_) return;
  std::error_code ignored;
  std::filesystem::remove(folder_ / kLogFile, ignored);
  std::filesystem::remove(folder_ / kConfigFile, ignored);
}

void RunFolder::log(const nlohmann::json& line) {
  log_->add(json_text(line));
  keeps_ = true;
}

void RunFolder::write_checkpoint(FunctionRef<void(std::ostream&)> write) {
  log_->sync();
  write_file_keeping(folder_ / kCheckpointFile, folder_ / kPreviousCheckpointFile, write);
  keeps_ = true;
}

}  // namespace terse
