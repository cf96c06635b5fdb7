#include "inspect/run_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/error.hpp"

namespace terse {

void prepare_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check(!error && std::filesystem::is_directory(folder), "run folder '{}': cannot be made: {}",
        folder.string(), error ? error.message() : "a file stands there");
  check(access(folder.c_str(), W_OK | X_OK) == 0, "run folder '{}': cannot be written to: {}",
        folder.string(), std::strerror(errno));
}

RunFolder::RunFolder(const std::filesystem::path& folder, const nlohmann::json& config)
    : folder_(folder) {
  prepare_folder(folder);
  check(!std::filesystem::exists(folder / "config.json"),
        "run folder '{}': holds a run already; name another one or remove it", folder.string());
  write_file(folder / "config.json", config.dump(2) + "\n");
  log_.open(folder / "log.jsonl", std::ios::trunc);
  check(log_.is_open(), "run folder '{}': log.jsonl cannot be written", folder.string());
}

void RunFolder::log(const nlohmann::json& line) {
  log_ << line.dump() << '\n' << std::flush;
  check(log_.good(), "run folder '{}': log.jsonl cannot be written to; is the disk full?",
        folder_.string());
}

void write_file(const std::filesystem::path& file, const std::string& text) {
  const std::filesystem::path temporary = file.string() + ".tmp";
  const int descriptor = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  check(descriptor >= 0, "'{}': cannot be written: {}", temporary.string(), std::strerror(errno));
  std::size_t written = 0;
  bool good = true;
  while (good && written < text.size()) {
    const auto n = write(descriptor, text.data() + written, text.size() - written);
    good = n > 0;
    if (good) written += static_cast<std::size_t>(n);
  }
  good = good && fsync(descriptor) == 0;
  const int reason = errno;
  close(descriptor);
  if (good) good = std::rename(temporary.c_str(), file.c_str()) == 0;
  if (!good) {
    unlink(temporary.c_str());
    throw Error(fmt::format("'{}': cannot be written: {}", file.string(), std::strerror(reason)));
  }
}

}  // namespace terse
