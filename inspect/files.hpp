// How results reach the disk: a file is complete or not there, and an error says what went wrong.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace terse {

// A folder that this process alone writes results to. The lock ends with the process, however it
// ends. A folder that was made for results that never came is removed again.
class OutputFolder {
 public:
  // Makes the folder if it is not there. Error, naming it, if files cannot be made in it or another
  // process writes to it.
  explicit OutputFolder(std::filesystem::path folder);
  // A new folder: prefix-1, or the next number after those that are there.
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

// Writes a file under a temporary name beside it, syncs it and renames it: a half-written file
// never stands under its name, and never replaces a good one. What is there and is no regular file
// (a pipe, a terminal) is written to. Error with the file and the system's reason.
void write_file(const std::filesystem::path& file, std::string_view text);

// A file that grows by whole lines, each handed to the system at once: after a crash, or on a disk
// that is full, what stands in it is lines that are complete.
class LineFile {
 public:
  enum class Existing { keep, replace };
  LineFile(std::filesystem::path file, Existing existing);
  ~LineFile();
  LineFile(LineFile&& other) noexcept;
  LineFile& operator=(LineFile&&) = delete;

  // Appends the text and an end of line. Error, and the file as it was, if the system refuses.
  void add(std::string_view line);
  // Waits until all lines are on the disk, and closes the file. Error if the disk refuses.
  void finish();

 private:
  std::filesystem::path file_;
  int descriptor_;
};

}  // namespace terse
