#include "tersegrad/data/idx.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tersegrad/data/gz_reader.hpp"

namespace terse {
namespace {

constexpr std::uint8_t kUnsignedByte = 0x08;
constexpr std::size_t kFirstBlock = std::size_t{1} << 20;   // initial buffer size in bytes
constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;  // a larger size means a broken header

std::vector<std::int64_t> read_shape(GzReader& reader, std::int64_t dimensions) {
  std::uint8_t magic[4];
  const auto got = reader.read(magic);
  check(got == 4, "idx '{}': not an IDX file: it ends in the header, after {} bytes", reader.name(),
        reader.place());
  check(
      magic[0] == 0 && magic[1] == 0 && magic[3] != 0,
      "idx '{}': not an IDX file: expected bytes 00 00 08 and the number of dimensions; got {:02x} "
      "{:02x} {:02x} {:02x}",
      reader.name(), magic[0], magic[1], magic[2], magic[3]);
  check(magic[2] == kUnsignedByte,
        "idx '{}': byte 2: expected unsigned bytes (type 08); got type {:02x}", reader.name(),
        magic[2]);
  check(magic[3] == dimensions,
        "idx '{}': byte 3: expected {} dimension{}; got {}; images have 3 and labels have 1",
        reader.name(), dimensions, dimensions == 1 ? "" : "s", magic[3]);

  std::vector<std::int64_t> shape;
  for (std::int64_t d = 0; d < dimensions; ++d) {
    std::uint8_t size[4];
    const auto size_bytes = reader.read(size);
    check(size_bytes == 4, "idx '{}': not an IDX file: it ends in the header, after {} bytes",
          reader.name(), reader.place());
    shape.push_back((std::int64_t{size[0]} << 24) | (std::int64_t{size[1]} << 16) |
                    (std::int64_t{size[2]} << 8) | std::int64_t{size[3]});
  }
  return shape;
}

}  // namespace

IdxArray read_idx(const std::filesystem::path& file, std::int64_t dimensions) {
  GzReader reader("idx", file);
  IdxArray array;
  array.shape = read_shape(reader, dimensions);
  const auto header = reader.place();
  const auto shape = fmt::format("{}", fmt::join(array.shape, "x"));

  std::int64_t total = 1;
  for (const auto size : array.shape) {
    check(size > 0, "idx '{}': header: expected sizes of at least 1; got {}", reader.name(), shape);
    check(size <= kMostBytes / total, "idx '{}': header: expected at most {} bytes; got {}",
          reader.name(), kMostBytes, shape);
    total *= size;
  }
  // The buffer grows as bytes are read, so that a broken header cannot cause a huge allocation.
  while (std::ssize(array.values) < total) {
    const auto begin = array.values.size();
    array.values.resize(
        std::min(static_cast<std::size_t>(total), std::max(kFirstBlock, 2 * begin)));
    const auto got = reader.read(std::span(array.values).subspan(begin));
    check(begin + got == array.values.size(),
          "idx '{}': truncated: expected {} = {} bytes after the header of {} bytes; got {}{}",
          reader.name(), shape, total, header, begin + got,
          reader.cut_off() ? " (the gzip stream breaks off)" : "");
  }
  // Reading beyond the data also makes zlib verify its checksum.
  std::uint8_t more[1];
  check(reader.read(more) == 0,
        "idx '{}': too long: expected {} = {} bytes after the header of {} bytes; got more",
        reader.name(), shape, total, header);
  check(!reader.cut_off(), "idx '{}': truncated: the gzip stream breaks off after byte {}",
        reader.name(), reader.place());
  return array;
}

}  // namespace terse
