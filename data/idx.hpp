// Reader of IDX files, the format in which MNIST and Fashion-MNIST are distributed:
//
//   0x00 0x00 type dimensions | one u32 per dimension, big-endian | values, row-major
//
// Only type 0x08, unsigned byte, is supported.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace terse {

struct IdxArray {
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> values;  // row-major; as many as the product of `shape`
};

// Reads a file, plain or gzip-compressed (detected from the content). Throws Error with the file
// and the position if it is missing, truncated, corrupt or too long, or has another number of
// dimensions.
IdxArray read_idx(const std::filesystem::path& file, std::int64_t dimensions);

}  // namespace terse
