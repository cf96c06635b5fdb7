#include "tersegrad/core/files.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <ostream>
#include <streambuf>
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

// Writes what is put into it to a descriptor. A failure sets the stream's badbit.
class DescriptorBuffer final : public std::streambuf {
 public:
  explicit DescriptorBuffer(int descriptor) : descriptor_(descriptor) { empty(); }
  // Writes what is still in memory. Returns 0, or the errno value of the first failure.
  int finish() {
    flush();
    return reason_;
  }

 private:
  int_type overflow(int_type c) override {
    if (!flush()) return traits_type::eof();
    if (!traits_type::eq_int_type(c, traits_type::eof())) sputc(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  std::streamsize xsputn(const char* text, std::streamsize n) override {
    if (n < epptr() - pptr()) return std::streambuf::xsputn(text, n);
    if (!flush()) return 0;
    reason_ = write_all(descriptor_, {text, static_cast<std::size_t>(n)});
    return reason_ == 0 ? n : 0;
  }
  bool flush() {
    if (reason_ == 0) reason_ = write_all(descriptor_, {pbase(), pptr()});
    empty();
    return reason_ == 0;
  }
  void empty() { setp(memory_.data(), memory_.data() + memory_.size()); }

  int descriptor_;
  int reason_ = 0;
  std::array<char, 1 << 14> memory_;
};

// Writes, syncs if `sync`, and closes the file in any case. Returns 0, or the errno value of the
// first failure. If `write` throws, closes the file and throws the same.
int write_and_close(int descriptor, FunctionRef<void(std::ostream&)> write, bool sync) {
  DescriptorBuffer buffer(descriptor);
  std::ostream out(&buffer);
  try {
    write(out);
  } catch (...) {
    // Callers may report a failed stream; the system's reason says more.
    const int reason = buffer.finish();
    close(descriptor);
    if (reason != 0) return reason;
    throw;
  }
  int reason = buffer.finish();
  if (reason == 0 && sync && fsync(descriptor) != 0) reason = errno;
  if (close(descriptor) != 0 && reason == 0) reason = errno;
  return reason;
}

bool is_special(const std::filesystem::path& file) {
  std::error_code none;
  const auto status = std::filesystem::status(file, none);
  return std::filesystem::exists(status) && !std::filesystem::is_regular_file(status);
}

// What exists and cannot be replaced by another file: pipes, devices, and the names of open files,
// such as /dev/stdout.
bool is_written_in_place(const std::filesystem::path& file) {
  std::error_code none;
  const auto name = std::filesystem::absolute(file, none).lexically_normal().string();
  const bool is_open =
      name.starts_with("/dev/std") || name.starts_with("/dev/fd/") || name.starts_with("/proc/");
  return is_special(file) || (is_open && std::filesystem::exists(file, none));
}

// The file itself, or where a link of this name points to, even if nothing is there.
std::filesystem::path target_of(std::filesystem::path file) {
  constexpr int kMostLinks = 40;  // as many as Linux follows
  std::error_code none;
  for (int i = 0; i < kMostLinks && std::filesystem::is_symlink(file, none); ++i) {
    file = file.parent_path() / std::filesystem::read_symlink(file);  // which may be absolute
  }
  return file;
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
  write_file(file, [&](std::ostream& out) { out << text; });
}

void write_file(const std::filesystem::path& name, FunctionRef<void(std::ostream&)> write) {
  if (is_written_in_place(name)) {
    const int reason = write_and_close(open_file(name, 0), write, false);
    if (reason != 0) fail(name, reason);
    return;
  }
  const auto file = target_of(name);
  const std::filesystem::path temporary = file.string() + ".tmp";
  const int descriptor = open_file(temporary, O_CREAT | O_TRUNC);
  int reason = 0;
  try {
    reason = write_and_close(descriptor, write, true);
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
  if (reason == 0 && std::rename(temporary.c_str(), file.c_str()) != 0) reason = errno;
  if (reason == 0) return;
  unlink(temporary.c_str());
  fail(file, reason);
}

void write_file_keeping(const std::filesystem::path& file, const std::filesystem::path& previous,
                        FunctionRef<void(std::ostream&)> write) {
  std::filesystem::path next = file.string() + ".next";
  write_file(next, write);
  std::error_code error;
  if (std::filesystem::exists(file, error)) {
    // A second name for the old file, so that `file` never vanishes; a copy where there are no
    // hard links.
    const std::filesystem::path kept = previous.string() + ".tmp";
    std::filesystem::remove(kept, error);
    std::filesystem::create_hard_link(file, kept, error);
    if (error) {
      const auto bytes = read_file(file);
      write_file(kept, [&](std::ostream& out) {
        out.write(reinterpret_cast<const char*>(bytes.data()),
                  static_cast<std::streamsize>(bytes.size()));
      });
    }
    if (std::rename(kept.c_str(), previous.c_str()) != 0) fail(previous, errno);
  }
  if (std::rename(next.c_str(), file.c_str()) != 0) fail(file, errno);
  const int folder = open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return;
  fsync(folder);  // the names; some file systems do not support it
  close(folder);
}

std::vector<std::byte> read_file(const std::filesystem::path& file) {
  const auto require = [&](bool holds) {
    if (!holds) {
      throw Error(fmt::format("'{}': cannot be read: {}", file.string(),
                              std::generic_category().message(errno)));
    }
  };
  errno = 0;
  std::error_code error;
  check(!std::filesystem::is_directory(file, error), "'{}': expected a file; got a folder",
        file.string());
  // A pipe has no size, and opening one could wait for ever.
  check(!is_special(file), "'{}': expected a regular file; got a pipe or a device", file.string());
  std::ifstream in(file, std::ios::binary | std::ios::ate);
  require(in.is_open());
  std::vector<std::byte> bytes(static_cast<std::size_t>(in.tellg()));
  in.seekg(0).read(reinterpret_cast<char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
  require(in.good());
  return bytes;
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

std::uint64_t LineFile::size() const {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) fail(file_, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

void LineFile::cut(std::uint64_t bytes) {
  const auto present = size();
  check(bytes <= present, "'{}': expected at least {} bytes; got {}", file_.string(), bytes,
        present);
  if (ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) fail(file_, errno);
}

void LineFile::sync() {
  // Files that are not regular may not support fsync (EINVAL, EROFS); that is not an error.
  if (fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) fail(file_, errno);
}

void LineFile::finish() {
  sync();
  if (close(std::exchange(descriptor_, -1)) != 0) fail(file_, errno);
}

void LineFile::add(std::string_view line) {
  add_record(std::string(line) + '\n');
}

void LineFile::add_record(std::string_view bytes) {
  struct stat before {};
  if (fstat(descriptor_, &before) != 0) fail(file_, errno);
  const int reason = write_all(descriptor_, bytes);
  if (reason == 0) return;
  // A part may have been written.
  if (S_ISREG(before.st_mode) && ftruncate(descriptor_, before.st_size) != 0) {
    throw Error(fmt::format("'{}': the last line or record is incomplete and cannot be removed: {}",
                            file_.string(), std::generic_category().message(errno)));
  }
  fail(file_, reason);
}

}  // namespace terse
