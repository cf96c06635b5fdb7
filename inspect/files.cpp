#include "tersegrad/inspect/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

// `reason` is an errno value, which the caller must read directly after the call that failed.
[[noreturn]] void fail(const std::filesystem::path& file, int reason) {
  throw Error(fmt::format("'{}': cannot be written: {}", file.string(),
                          std::generic_category().message(reason)));
}

// Writes all of `text`. Returns 0, or the errno value of the failure.
int write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(descriptor, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

int open_file(const std::filesystem::path& file, int flags) {
  const int descriptor = open(file.c_str(), O_WRONLY | O_CLOEXEC | flags, 0644);
  if (descriptor < 0) fail(file, errno);
  return descriptor;
}

// Writes, syncs if `sync`, and closes the file in any case. Returns 0, or the errno value of the
// first failure.
int write_and_close(int descriptor, std::string_view text, bool sync) {
  int reason = write_all(descriptor, text);
  if (reason == 0 && sync && fsync(descriptor) != 0) reason = errno;
  if (close(descriptor) != 0 && reason == 0) reason = errno;
  return reason;
}

bool is_special(const std::filesystem::path& file) {
  std::error_code none;
  const auto status = std::filesystem::status(file, none);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
}

}  // namespace

OutputFolder::OutputFolder(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::error_code error;
  made_ = std::filesystem::create_directories(folder_, error);
  check(!error && std::filesystem::is_directory(folder_), "folder '{}': cannot be created: {}",
        folder_.string(), error ? error.message() : "a file of this name exists");
  descriptor_ = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int reason = descriptor_ < 0 ? errno : 0;
  if (reason == 0 && access(folder_.c_str(), W_OK | X_OK) != 0) reason = errno;
  if (reason == 0 && flock(descriptor_, LOCK_EX | LOCK_NB) != 0) reason = errno;
  // If the file system does not support locks, the folder is used without one.
  if (reason == 0 || reason == ENOLCK || reason == EOPNOTSUPP) return;
  if (descriptor_ >= 0) close(descriptor_);
  check(reason != EWOULDBLOCK, "folder '{}': another process is writing to it; name another folder",
        folder_.string());
  throw Error(fmt::format("folder '{}': cannot be written to: {}", folder_.string(),
                          std::generic_category().message(reason)));
}

OutputFolder OutputFolder::numbered(const std::filesystem::path& prefix) {
  for (int number = 1;; ++number) {
    std::filesystem::path folder = prefix.string() + '-' + std::to_string(number);
    std::error_code ignored;
    if (std::filesystem::exists(folder, ignored)) continue;
    OutputFolder made(std::move(folder));
    if (made.made_) return made;  // otherwise another process has just created it
  }
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : folder_(std::move(other.folder_)),
      made_(std::exchange(other.made_, false)),
      descriptor_(std::exchange(other.descriptor_, -1)) {}

OutputFolder::~OutputFolder() {
  if (made_) rmdir(folder_.c_str());  // fails if the folder is not empty
  if (descriptor_ >= 0) close(descriptor_);
}

void write_file(const std::filesystem::path& file, std::string_view text) {
  if (is_special(file)) {
    const int reason = write_and_close(open_file(file, 0), text, false);
    if (reason != 0) fail(file, reason);
    return;
  }
  const std::filesystem::path temporary = file.string() + ".tmp";
  int reason = write_and_close(open_file(temporary, O_CREAT | O_TRUNC), text, true);
  if (reason == 0 && std::rename(temporary.c_str(), file.c_str()) != 0) reason = errno;
  if (reason == 0) return;
  unlink(temporary.c_str());
  fail(file, reason);
}

LineFile::LineFile(std::filesystem::path file, Existing existing)
    : file_(std::move(file)),
      descriptor_(
          open_file(file_, O_CREAT | O_APPEND | (existing == Existing::replace ? O_TRUNC : 0))) {}

LineFile::LineFile(LineFile&& other) noexcept
    : file_(std::move(other.file_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

LineFile::~LineFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

void LineFile::finish() {
  // Files that are not regular may not support fsync (EINVAL, EROFS); that is not an error.
  int reason = fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS ? errno : 0;
  if (close(std::exchange(descriptor_, -1)) != 0 && reason == 0) reason = errno;
  if (reason != 0) fail(file_, reason);
}

void LineFile::add(std::string_view line) {
  struct stat before {};
  if (fstat(descriptor_, &before) != 0) fail(file_, errno);
  const int reason = write_all(descriptor_, std::string(line) + '\n');
  if (reason == 0) return;
  // Part of the line may have been written.
  if (S_ISREG(before.st_mode) && ftruncate(descriptor_, before.st_size) != 0) {
    throw Error(fmt::format("'{}': the last line is incomplete and cannot be removed: {}",
                            file_.string(), std::generic_category().message(errno)));
  }
  fail(file_, reason);
}

}  // namespace terse
