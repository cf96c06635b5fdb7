// Reads a file sequentially. The file may be plain or gzip-compressed, which is detected from its
// content.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

struct gzFile_s;

namespace terse {

// `format` precedes the file's name in every error message: "idx 'a.gz': corrupt …".
class GzReader {
 public:
  // Throws Error if the file cannot be opened.
  GzReader(std::string format, const std::filesystem::path& file);
  ~GzReader();
  GzReader(const GzReader&) = delete;
  GzReader& operator=(const GzReader&) = delete;

  // Fills `bytes` and returns the number of bytes read, which is smaller only at the end of the
  // file. Throws Error if the file is corrupt or cannot be read.
  std::size_t read(std::span<std::uint8_t> bytes);

  // The rest of the file. Throws Error if the gzip stream is truncated.
  std::string read_rest();

  bool cut_off() const { return problem().cut_off; }  // true if the gzip stream is truncated
  const std::string& name() const { return name_; }
  std::int64_t place() const { return place_; }  // uncompressed bytes read so far

 private:
  struct Problem {
    bool cut_off;
    std::string_view text;
  };
  Problem problem() const;

  std::string format_;
  std::string name_;
  gzFile_s* file_;
  std::int64_t place_ = 0;
};

}  // namespace terse
