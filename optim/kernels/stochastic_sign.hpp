// Signs drawn so that their mean is the vector.
#pragma once

#include <cstdint>
#include <span>

#include "core/random.hpp"

namespace terse::codec {

// Bit at + i is set (minus) with the probability 1/2 - x[i] / (2 bound), each by a draw of its own:
// the word i of `draws`. |x[i]| <= bound; NaN and bound = 0 set no bit. As pack_if, the plane is
// all zeros before its first tensor.
void pack_stochastic(std::span<const float> x, double bound, const Philox& draws, std::int64_t at,
                     std::span<std::uint32_t> plane);

}  // namespace terse::codec
