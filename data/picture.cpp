#include "tersegrad/data/picture.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

// Reads integers at any offset of a file. Throws Error if they extend beyond its end.
class Fields {
 public:
  Fields(std::string_view file, bool big_endian) : file_(file), big_endian_(big_endian) {}

  std::uint32_t number(std::size_t at, std::size_t bytes) const {
    check(at <= file_.size() && bytes <= file_.size() - at, "the file is truncated");
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
      const std::size_t place = big_endian_ ? at + i : at + bytes - 1 - i;
      value = value << 8 | static_cast<std::uint8_t>(file_[place]);
    }
    return value;
  }

 private:
  std::string_view file_;
  bool big_endian_;
};

}  // namespace

// ---- EXIF ---------------------------------------------------------------------------------------

int exif_orientation(std::string_view segment) {
  constexpr std::string_view kHead("Exif\0\0", 6);
  constexpr std::uint32_t kOrientation = 0x0112;
  if (!segment.starts_with(kHead)) return 1;
  const auto tiff = segment.substr(kHead.size());
  const bool big_endian = tiff.starts_with("MM");
  if (!big_endian && !tiff.starts_with("II")) return 1;
  try {
    const Fields fields(tiff, big_endian);
    const std::size_t directory = fields.number(4, 4);
    const std::size_t entries = fields.number(directory, 2);
    for (std::size_t i = 0; i < entries; ++i) {
      const std::size_t entry = directory + 2 + 12 * i;
      if (fields.number(entry, 2) != kOrientation) continue;
      const auto value = fields.number(entry + 8, 2);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  } catch (const Error&) {  // a broken Exif segment is ignored: the pixels do not depend on it
  }
  return 1;
}

Picture oriented(Picture picture, int orientation) {
  if (orientation == 1) return picture;
  const int h = picture.height, w = picture.width;
  const bool turned = orientation >= 5;
  Picture result{.pixels = std::vector<std::uint8_t>(picture.pixels.size()),
                 .height = turned ? w : h,
                 .width = turned ? h : w,
                 .channels = picture.channels};
  // The stored position of the pixel at (y, x) of the result.
  const auto source = [&](int y, int x) -> std::pair<int, int> {
    switch (orientation) {
      case 2:
        return {y, w - 1 - x};
      case 3:
        return {h - 1 - y, w - 1 - x};
      case 4:
        return {h - 1 - y, x};
      case 5:
        return {x, y};
      case 6:
        return {h - 1 - x, y};
      case 7:
        return {h - 1 - x, w - 1 - y};
      default:
        return {x, w - 1 - y};
    }
  };
  auto to = result.pixels.begin();
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      const auto [from_y, from_x] = source(y, x);
      const auto from = (std::ptrdiff_t{from_y} * w + from_x) * picture.channels;
      to = std::copy_n(picture.pixels.begin() + from, picture.channels, to);
    }
  }
  return result;
}

// ---- BMP and GIF --------------------------------------------------------------------------------

void check_bmp_is_whole(std::string_view file) {
  const Fields fields(file, false);
  const std::uint64_t pixels = fields.number(10, 4);
  const bool old = fields.number(14, 4) == 12;  // OS/2 header: 16-bit width and height
  const std::uint64_t width = old ? fields.number(18, 2) : fields.number(18, 4);
  const auto height = static_cast<std::int32_t>(old ? fields.number(20, 2) : fields.number(22, 4));
  const std::uint64_t bits = fields.number(old ? 24 : 28, 2);
  const std::uint64_t row = (width * bits + 31) / 32 * 4;  // rows are padded to 4 bytes
  const auto rows = static_cast<std::uint64_t>(std::abs(std::int64_t{height}));
  check(width <= kLongestSide && rows <= kLongestSide && bits <= 32,
        "expected at most {0}x{0} pixels of at most 32 bits; got {1}x{2} of {3} bits", kLongestSide,
        width, rows, bits);
  check(pixels + row * rows <= file.size(),
        "part of the pixels is missing: expected {} bytes; got {}", pixels + row * rows,
        file.size());
}

namespace {

// Returns the number of pixels that the LZW codes of a GIF picture decode to, up to the end code or
// the last byte. Each code adds a table entry that is one pixel longer than the previous code's.
std::uint64_t gif_pixels(std::string_view data, std::uint32_t pixel_bits) {
  constexpr std::uint32_t kMostCodes = 4096;
  check(pixel_bits >= 1 && pixel_bits <= 11, "expected pixels of 1 to 11 bits; got {}", pixel_bits);
  const std::uint32_t clear = 1U << pixel_bits, end = clear + 1;
  std::array<std::uint32_t, kMostCodes> length{};
  std::fill_n(length.begin(), clear, 1);

  std::uint32_t codes = clear + 2, code_bits = pixel_bits + 1, before = clear;
  std::uint32_t bits = 0, waiting = 0;
  std::uint64_t pixels = 0;
  for (const char byte : data) {
    bits |= std::uint32_t{static_cast<std::uint8_t>(byte)} << waiting;
    waiting += 8;
    while (waiting >= code_bits) {
      const std::uint32_t code = bits & ((1U << code_bits) - 1);
      bits >>= code_bits;
      waiting -= code_bits;
      if (code == end) return pixels;
      if (code == clear) {
        codes = clear + 2;
        code_bits = pixel_bits + 1;
      } else {
        if (before != clear && codes < kMostCodes) {
          length[codes++] = length[before] + 1;
          if (codes == 1U << code_bits && codes < kMostCodes) ++code_bits;
        }
        check(code < codes && length[code] > 0, "LZW code {} is not defined", code);
        pixels += length[code];
      }
      before = code;
    }
  }
  return pixels;
}

}  // namespace

void check_gif_is_whole(std::string_view file) {
  constexpr std::uint32_t kImage = 0x2C, kExtension = 0x21;
  const Fields fields(file, false);
  const auto table_bytes = [](std::uint32_t flags) -> std::size_t {
    return (flags & 0x80) != 0 ? std::size_t{3} << ((flags & 7) + 1) : 0;
  };
  // Data blocks follow each other, each preceded by its length in one byte; length 0 ends them.
  const auto read_blocks = [&](std::size_t at, auto&& take) {
    for (std::uint32_t length; (length = fields.number(at, 1)) != 0;) {
      check(length <= file.size() - at - 1, "the file is truncated");
      take(file.substr(at + 1, length));
      at += 1 + length;
    }
    return at + 1;
  };
  std::size_t at = 13 + table_bytes(fields.number(10, 1));
  while (fields.number(at, 1) == kExtension) at = read_blocks(at + 2, [](std::string_view) {});
  check(fields.number(at, 1) == kImage, "the file holds no picture");
  const std::uint64_t wanted = std::uint64_t{fields.number(at + 5, 2)} * fields.number(at + 7, 2);
  at += 10 + table_bytes(fields.number(at + 9, 1));
  std::string codes;
  read_blocks(at + 1, [&](std::string_view block) { codes += block; });
  const std::uint64_t pixels = gif_pixels(codes, fields.number(at, 1));
  check(pixels >= wanted, "part of the pixels is missing: expected {}; got {}", wanted, pixels);
}

}  // namespace terse
