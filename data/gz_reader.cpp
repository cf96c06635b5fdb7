#include "tersegrad/data/gz_reader.hpp"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;       // maximum bytes per gzread call
constexpr std::size_t kSmallFile = std::size_t{64} << 10;  // initial buffer size of read_rest

}  // namespace

GzReader::GzReader(std::string format, const std::filesystem::path& file)
    : format_(std::move(format)), name_(file.string()) {
  errno = 0;
  file_ = gzopen(name_.c_str(), "rb");
  check(file_ != nullptr, "{}: cannot open '{}': {}", format_, name_,
        errno == 0 ? "out of memory" : std::generic_category().message(errno));
  gzbuffer(file_, 128U << 10);
}

GzReader::~GzReader() {
  gzclose(file_);
}

std::size_t GzReader::read(std::span<std::uint8_t> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto want = std::min(bytes.size() - done, kBlock);
    const int got = gzread(file_, bytes.data() + done, static_cast<unsigned>(want));
    check(got >= 0, "{} '{}': corrupt or unreadable after byte {}: {}", format_, name_, place_,
          problem().text);
    done += static_cast<std::size_t>(got);
    place_ += got;
    if (got == 0) break;
  }
  return done;
}

std::string GzReader::read_rest() {
  std::string bytes;
  for (;;) {
    const auto begin = bytes.size();
    bytes.resize(std::max(kSmallFile, 2 * begin));
    const auto rest = std::span(bytes).subspan(begin);
    const auto got = read({reinterpret_cast<std::uint8_t*>(rest.data()), rest.size()});
    if (got < rest.size()) {
      bytes.resize(begin + got);
      break;
    }
  }
  check(!cut_off(), "{} '{}': truncated: the gzip stream breaks off after byte {}", format_, name_,
        place_);
  return bytes;
}

// zlib begins its message with the file's name, which our message already contains.
GzReader::Problem GzReader::problem() const {
  int code = Z_OK;
  std::string_view text = gzerror(file_, &code);
  if (text.substr(0, name_.size()) == name_) text.remove_prefix(name_.size() + 2);
  return {.cut_off = code == Z_BUF_ERROR, .text = text};
}

}  // namespace terse
