// Levels of which most are zero, in Elias' omega code (IEEE Transactions on Information Theory 21,
// 1975), as QSGD sends them:
//
//   for every level that is not 0:  omega(how far after the one before), sign bit, omega(level)
//   at the end:                     omega(how far the end is after the last)
//
//   omega(k):  "0" at first; while k > 1:  put k's binary digits in front, k = their number - 1
//
// The place before the first value counts as the one before it. The first bit of a code is the
// lowest of a word; zeros fill the last word.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace terse::kernels {

// A bit string; the first bit is the lowest.
struct BitString {
  std::uint64_t bits = 0;
  int size = 0;
};
BitString omega(std::uint64_t k);  // 1 <= k < 2^40

// Appends the words for these codes of levels.hpp; none for no codes.
void elias_encode(std::span<const std::uint8_t> codes, int levels,
                  std::vector<std::uint32_t>& words);

// The reverse. PacketError unless the words are such a text of levels 0 … s, to the last bit.
void elias_decode(std::span<const std::uint32_t> words, int levels, std::span<std::uint8_t> codes);

}  // namespace terse::kernels
