// Layer normalisation: every row is normalised.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

// y = gamma (x - mean) / sqrt(variance + eps) + beta, with the mean and the biased variance of each
// row of x (rows, D). Writes the mean and deviation_inverse = 1 / sqrt(variance + eps) of each row.
void layer_norm_forward(std::int64_t rows, std::int64_t d, std::span<const real> x,
                        std::span<const real> gamma, std::span<const real> beta, double eps,
                        std::span<real> mean, std::span<real> deviation_inverse, std::span<real> y);
// Overwrites dx, dgamma and dbeta.
void layer_norm_backward(std::int64_t rows, std::int64_t d, std::span<const real> dy,
                         std::span<const real> x, std::span<const real> gamma,
                         std::span<const real> mean, std::span<const real> deviation_inverse,
                         std::span<real> dx, std::span<real> dgamma, std::span<real> dbeta);

}  // namespace terse::kernels
