#include "examples/report/line_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse::run {

LineReader::LineReader(std::istream& in, std::string name)
    : in_(in), name_(std::move(name)), buffer_(std::size_t{1} << 16) {}

std::string LineReader::place() const {
  return fmt::format("'{}', line {}", name_, number_);
}

bool LineReader::fill() {
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= begin_;
  begin_ = 0;
  if (end_ == buffer_.size()) {
    check(buffer_.size() < kLongestLine, "{}: expected at most {} bytes; the line is longer",
          place(), kLongestLine);
    buffer_.resize(std::min(2 * buffer_.size(), kLongestLine));
  }
  in_.read(buffer_.data() + end_, static_cast<std::streamsize>(buffer_.size() - end_));
  const auto count = static_cast<std::size_t>(in_.gcount());
  end_ += count;
  check(!in_.bad(), "'{}': cannot be read", name_);
  return count > 0;
}

bool LineReader::next(std::string_view& line) {
  ++number_;
  std::size_t searched = 0;  // unread bytes that are known to contain no line feed
  for (;;) {
    const std::string_view unread(buffer_.data() + begin_, end_ - begin_);
    const auto feed = unread.find('\n', searched);
    if (feed != std::string_view::npos) {
      line = unread.substr(0, feed);
      begin_ += feed + 1;
      terminated_ = true;
      return true;
    }
    searched = unread.size();
    if (fill()) continue;
    line = std::string_view(buffer_.data() + begin_, end_ - begin_);
    begin_ = end_;
    terminated_ = false;
    return !line.empty();
  }
}

}  // namespace terse::run
