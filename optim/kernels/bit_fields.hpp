// Numbers of a few bits each, one after the other in 32-bit words: field i is the bits from i ·
// bits on, the lowest bit first. The words begin with field 0 and end in zeros.
#pragma once

#include <cstdint>
#include <span>

namespace terse::kernels {

// values[i] < 2^bits, 1 <= bits <= 8; words.size() == words_for(values.size() · bits).
void pack_fields(std::span<const std::uint8_t> values, int bits, std::span<std::uint32_t> words);
void unpack_fields(std::span<const std::uint32_t> words, int bits, std::span<std::uint8_t> values);

}  // namespace terse::kernels
