// Contents of valid and of invalid IDX files.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/data/files.hpp"

namespace terse {

// An IDX header for this shape, followed by `values` bytes 0, 1, 2, …
inline Bytes idx_bytes(const std::vector<std::uint32_t>& shape, std::size_t values) {
  Bytes bytes = {0, 0, 8, static_cast<std::uint8_t>(shape.size())};
  for (const auto size : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<std::uint8_t>(size >> shift));
    }
  }
  for (std::size_t i = 0; i < values; ++i) bytes.push_back(static_cast<std::uint8_t>(i));
  return bytes;
}

}  // namespace terse
