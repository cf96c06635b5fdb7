// Random rounding of |x| / norm to the levels 0, 1/s, …, 1, the mean being exact: a value goes up
// with the probability of its part above a level, to 2^-32, and one that is on a level stays there.
//
// A code is a level of 0 … s, and the sign in the bit above them: 1 is minus. The sign of level 0
// means nothing.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "tersegrad/optim/kernels/draws.hpp"

namespace terse::kernels {

inline constexpr int kMostLevels = 127;  // a code has at most 8 bits

// Bits of a level of 0 … s, without the sign.
constexpr int level_bits(int levels) {
  return std::bit_width(static_cast<unsigned>(levels));
}

// max |x_i|; infinite or NaN if one of them is, and 0 of none.
float largest_magnitude(std::span<const float> x);

struct Levels {
  int levels = 1;   // s
  float norm = 0;   // what level s stands for; what lies beyond is at it
  float limit = 0;  // magnitudes beyond this are cut to it before
};

// The codes of values first, first + 1, … of a tensor, `first` a multiple of 64. Level 0 for all if
// the norm is 0 or not finite.
void encode_levels(std::span<const float> x, const Levels& levels, const Draws& draws,
                   std::int64_t first, std::span<std::uint8_t> codes);

// out[i] += step · the signed level of codes[i]. NaN if the step is infinite or NaN.
void add_levels(std::span<const std::uint8_t> codes, int levels, float step, std::span<float> out);

// The largest level of any code.
int largest_level(std::span<const std::uint8_t> codes, int levels);

}  // namespace terse::kernels
