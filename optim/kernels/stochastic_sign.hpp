// Stochastic signs whose expectation is proportional to the vector.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/optim/kernels/draws.hpp"

namespace terse::kernels {

// Sets bit at + i (negative) with probability 1/2 - x[i] / (2 bound), by draw i. Magnitudes above
// the bound, and NaN, count as the bound. If the bound is infinite or NaN, each bit is a fair coin;
// if it is 0, no bit is set. The caller must zero the plane before it packs the first tensor, as
// for pack_if.
void pack_stochastic(std::span<const float> x, float bound, const Draws& draws, std::int64_t at,
                     std::span<std::uint32_t> plane);

}  // namespace terse::kernels
