// IDX files, as MNIST and Fashion-MNIST are distributed: a big-endian header and unsigned bytes.
//
//   0x00 0x00 type dimensions | one u32 per dimension, big-endian | values, row-major
//
// Type 0x08, unsigned byte, is the only one read here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace terse {

struct IdxArray {
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> values;  // product of shape
};

// Reads a file, gzip-compressed or plain (told apart by content). What is missing, cut off,
// corrupt, too long or of another dimension count is an Error that names the file and the place.
IdxArray read_idx(const std::filesystem::path& file, std::int64_t dimensions);

}  // namespace terse
