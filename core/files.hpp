// Writing of result files: a file on disk is either complete or absent, and every failure throws
// Error with the file and the system's reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/parallel.hpp"

namespace terse {

// A folder that is locked, so that only this process writes results to it. The system releases the
// lock when the process ends, even by a crash. The destructor removes the folder if this object
// created it and it is still empty.
class OutputFolder {
 public:
  // Creates the folder if it does not exist. Throws Error with its name if files cannot be created
  // in it or another process holds its lock.
  explicit OutputFolder(std::filesystem::path folder);
  // Creates a new folder PREFIX-N, where N >= 1 is the smallest number not in use.
  static OutputFolder numbered(const std::filesystem::path& prefix);
  ~OutputFolder();
  OutputFolder(OutputFolder&& other) noexcept;
  OutputFolder& operator=(OutputFolder&&) = delete;

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path operator/(const char* file) const { return folder_ / file; }

 private:
  std::filesystem::path folder_;
  bool made_ = false;
  int descriptor_ = -1;  // holds the lock
};

// Writes a file atomically: writes FILE.tmp, syncs it and renames it, so that an incomplete file
// never appears under the final name or replaces a complete one. If `file` is a link, this happens
// where it points to. If it exists and is a pipe, a device or a name of an open file (/dev/stdout),
// the text is written to it directly. Throws Error with the file and the system's reason.
void write_file(const std::filesystem::path& file, std::string_view text);
// The same for what `write` writes to a stream, which is not held in memory.
void write_file(const std::filesystem::path& file, FunctionRef<void(std::ostream&)> write);

// The same, and the file that was there before becomes `previous`. At every instant there is a
// complete file under the name `file`, if there was one before.
void write_file_keeping(const std::filesystem::path& file, const std::filesystem::path& previous,
                        FunctionRef<void(std::ostream&)> write);

// The bytes of a regular file. Throws Error with the file and the system's reason.
std::vector<std::byte> read_file(const std::filesystem::path& file);

// A file to which whole lines or records are appended, each with its own write. After a crash of
// the process, or on a full disk, it contains only complete ones.
class LineFile {
 public:
  enum class Existing { keep, replace };
  LineFile(std::filesystem::path file, Existing existing);
  ~LineFile();
  LineFile(LineFile&& other) noexcept;
  LineFile& operator=(LineFile&&) = delete;

  // Appends the text and a line feed. If writing fails, restores the previous length of the file
  // and throws Error.
  void add(std::string_view line);
  // The same for a record of a binary format, to which no line feed is added.
  void add_record(std::string_view bytes);
  std::uint64_t size() const;  // bytes; throws Error if the system does not tell
  // Shortens the file to its first `bytes` bytes. Throws Error if it has fewer.
  void cut(std::uint64_t bytes);
  // Waits until all lines are on disk. Throws Error if that fails.
  void sync();
  void finish();  // the same, and closes the file

 private:
  std::filesystem::path file_;
  int descriptor_;
};

}  // namespace terse
