// Reads a text line by line in bounded memory, however long the text is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

namespace terse::run {

class LineReader {
 public:
  static constexpr std::size_t kLongestLine = std::size_t{16} << 20;  // bytes

  // `name` stands for the text in errors. The stream must outlive the reader.
  LineReader(std::istream& in, std::string name);

  // Reads the next line, which is valid until the next call. Returns false at the end. Throws Error
  // if the line has more than kLongestLine bytes or the stream fails.
  bool next(std::string_view& line);

  std::int64_t number() const { return number_; }     // of the latest line, from 1
  bool is_terminated() const { return terminated_; }  // the latest line ends with a line feed
  // "'runs/a/log.jsonl', line 12"
  std::string place() const;

 private:
  bool fill();  // reads more bytes behind those that are unread

  std::istream& in_;
  std::string name_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;  // the unread bytes in the buffer
  std::int64_t number_ = 0;
  bool terminated_ = false;
};

}  // namespace terse::run
