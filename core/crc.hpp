// Cyclic redundancy checks of 32 bits over the two polynomials that file formats use.
//
//   crc = ~before
//   for each byte:  crc = table[(crc xor byte) mod 256] xor (crc >> 8)
//   return ~crc
//
// `before` is the check of the bytes that precede these, or 0. Both polynomials are written with
// the coefficient of x^31 in the lowest bit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace terse {

template <std::uint32_t kPolynomial>
std::uint32_t cyclic_check(std::span<const std::byte> bytes, std::uint32_t before) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
      std::uint32_t crc = byte;
      for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
      table[byte] = crc;
    }
    return table;
  }();
  std::uint32_t crc = ~before;
  for (const auto byte : bytes) {
    crc = kTable[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xFF] ^ (crc >> 8);
  }
  return ~crc;
}

// Of zip archives (ISO 3309).
inline std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t before = 0) {
  return cyclic_check<0xEDB88320>(bytes, before);
}
// Of TFRecord files (Castagnoli et al. 1993).
inline std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0) {
  return cyclic_check<0x82F63B78>(bytes, before);
}

}  // namespace terse
