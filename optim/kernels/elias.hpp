// Elias omega coding (IEEE Transactions on Information Theory 21, 1975) of signed levels most of
// which are zero, as in QSGD:
//
//   for each nonzero level:  omega(distance from the previous nonzero), sign bit, omega(level)
//   at the end:              omega(distance from the last nonzero to the end)
//
//   omega(k):  start with "0"; while k > 1:  prepend the binary digits of k, k = their number - 1
//
// Indices count from 0; the "previous nonzero" of the first one is at -1, and the end is at n. Bits
// fill each word from its lowest bit; unused bits of the last word are zero.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace terse::kernels {

// A bit string of `size` bits; the first bit is the lowest.
struct BitString {
  std::uint64_t bits = 0;
  int size = 0;
};
BitString omega(std::uint64_t k);  // 1 <= k < 2^40

// Encodes codes of levels.hpp and appends the words. Appends nothing if there are no codes.
void elias_encode(std::span<const std::uint8_t> codes, int levels,
                  std::vector<std::uint32_t>& words);

// The inverse of elias_encode. Throws PacketError unless the words are a complete encoding of
// codes.size() levels, each at most `levels`, without any further bits.
void elias_decode(std::span<const std::uint32_t> words, int levels, std::span<std::uint8_t> codes);

}  // namespace terse::kernels
