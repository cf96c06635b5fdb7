// Reads a file from front to back, whether it is gzip-compressed or plain (told apart by content).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

struct gzFile_s;

namespace terse {

// `format` stands before the file's name in every error: "idx 'a.gz': corrupt …".
class GzReader {
 public:
  GzReader(std::string format, const std::filesystem::path& file);
  ~GzReader();
  GzReader(const GzReader&) = delete;
  GzReader& operator=(const GzReader&) = delete;

  // Fills `bytes`; returns how many there were, fewer only at the end of the file.
  std::size_t read(std::span<std::uint8_t> bytes);

  // All that is left. A gzip stream that breaks off is an Error.
  std::string read_rest();

  bool cut_off() const { return problem().cut_off; }  // a gzip stream that ends early
  const std::string& name() const { return name_; }
  std::int64_t place() const { return place_; }  // uncompressed bytes read

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
