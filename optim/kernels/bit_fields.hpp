// Packing of small unsigned integers into 32-bit words. Field i occupies the bits [i · bits,
// (i + 1) · bits) of the words, lowest bit first. Unused bits of the last word are zero.
#pragma once

#include <cstdint>
#include <span>

namespace terse::kernels {

// Requires values[i] < 2^bits, 1 <= bits <= 8 and words.size() == words_for(values.size() · bits).
void pack_fields(std::span<const std::uint8_t> values, int bits, std::span<std::uint32_t> words);
void unpack_fields(std::span<const std::uint32_t> words, int bits, std::span<std::uint8_t> values);

}  // namespace terse::kernels
