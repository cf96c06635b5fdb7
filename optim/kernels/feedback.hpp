// Signs and magnitudes in one pass, and error feedback in the same.
#pragma once

#include <cstdint>
#include <span>

namespace terse::kernels {

// Bit at + i of the plane = x[i] < 0;  returns |x|_1: pack_negative and norm1, to the bit.
double pack_signs(std::span<const float> x, std::int64_t at, std::span<std::uint32_t> plane);

// e = keep (e - owed sign(e)) + g;  bit at + i of the plane = e[i] < 0;  returns |e|_1
//
// owed is the scale that the last packet said of e and nobody has subtracted yet: to subtract it at
// once would be a pass of its own. As pack_if, the plane is all zeros before its first tensor is
// packed; the sum adds in the order of norm1.
double feed_back_signs(std::span<const float> g, float keep, float owed, std::span<float> e,
                       std::int64_t at, std::span<std::uint32_t> plane);

// e = e - owed sign(e)
void subtract_signs(float owed, std::span<float> e);

}  // namespace terse::kernels
