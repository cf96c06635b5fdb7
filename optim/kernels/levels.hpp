// Stochastic rounding of |x| / norm to the levels 0, 1/s, …, 1 with exact expectation. A value
// between two levels is rounded up with probability equal to its fractional part, to 2^-32; a value
// on a level stays there.
//
// A code is the level 0 … s in the low bits, and the sign in the bit above them, 1 for negative.
// The sign of level 0 has no meaning.
#pragma once

#include <bit>
#include <cstdint>
#include <span>

#include "tersegrad/optim/kernels/draws.hpp"

namespace terse::kernels {

inline constexpr int kMostLevels = 127;  // a code has at most 8 bits

// The number of bits of a level 0 … s, without the sign.
constexpr int level_bits(int levels) {
  return std::bit_width(static_cast<unsigned>(levels));
}

// max |x_i|. NaN if any value is NaN, otherwise infinite if any value is; 0 if x is empty.
float largest_magnitude(std::span<const float> x);

struct Levels {
  int levels = 1;   // s, at most kMostLevels
  float norm = 0;   // the magnitude of level s; larger magnitudes are clamped to it
  float limit = 0;  // magnitudes are clamped to this before they are rounded
};

// codes[i] = the code of x[i]. x[0] is value `first` of its tensor, a multiple of 64, which selects
// its random bits. All codes are 0 if the norm is 0, infinite or NaN.
void encode_levels(std::span<const float> x, const Levels& levels, const Draws& draws,
                   std::int64_t first, std::span<std::uint8_t> codes);

// out[i] += step · signed level of codes[i]. If the step is NaN, so is out[i]; if it is infinite,
// out[i] becomes infinite, or NaN where the level is 0.
void add_levels(std::span<const std::uint8_t> codes, int levels, float step, std::span<float> out);

// The largest level of any code; 0 if there are no codes.
int largest_level(std::span<const std::uint8_t> codes, int levels);

}  // namespace terse::kernels
