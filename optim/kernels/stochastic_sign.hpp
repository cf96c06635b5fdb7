// Signs drawn so that their mean is the vector.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/optim/kernels/draws.hpp"

namespace terse::kernels {

// Bit at + i is set (minus) with the probability 1/2 - x[i] / (2 bound), by draw i; |x[i]| <=
// bound. A NaN counts as the bound; a bound that is not finite makes fair coins, and one of zero
// sets no bit. As pack_if, the plane is all zeros before its first tensor.
void pack_stochastic(std::span<const float> x, float bound, const Draws& draws, std::int64_t at,
                     std::span<std::uint32_t> plane);

}  // namespace terse::kernels
