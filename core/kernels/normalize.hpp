// Normalisation: of each channel over a batch (BatchNorm), of each row (LayerNorm).
//
// What follows a batch normalisation in a residual network, the addition of the shortcut and ReLU,
// is done in the same pass: these layers are bound by memory, not by arithmetic.
#pragma once

#include <cstdint>
#include <span>

#include "core/real.hpp"

namespace terse::kernels {

// x, y, residual and their gradients are (N, C, pixels).
struct ChannelShape {
  std::int64_t n, c, pixels;
  std::int64_t per_channel() const { return n * pixels; }
};

// y = relu?( gamma (x - mean) / sqrt(variance + eps) + beta + residual? )
struct BatchNormForward {
  std::span<const real> x, gamma, beta;
  std::span<const real> residual;  // empty: none
  bool relu = false;
  double eps = 1e-5;
};
// The statistics of this batch: mean and biased variance of each channel are computed and left in
// `mean` and `variance`.
void batch_norm_forward(const ChannelShape& shape, const BatchNormForward& in, std::span<real> mean,
                        std::span<real> variance, std::span<real> y);
// With statistics that are given.
void batch_norm_apply(const ChannelShape& shape, const BatchNormForward& in,
                      std::span<const real> mean, std::span<const real> variance,
                      std::span<real> y);

struct BatchNormBackward {
  std::span<const real> dy, x, gamma, mean, variance;
  std::span<const real> y;  // the result, where ReLU was applied; empty: it was not
  double eps = 1e-5;
  bool batch_statistics = true;  // the mean and variance were computed from x
};
// Overwrites dx, dgamma, dbeta, and dresidual unless it is empty.
void batch_norm_backward(const ChannelShape& shape, const BatchNormBackward& in, std::span<real> dx,
                         std::span<real> dgamma, std::span<real> dbeta, std::span<real> dresidual);

// y = gamma (x - mean) / sqrt(variance + eps) + beta, with the mean and the biased variance of each
// row of x (rows, D); they are left in `mean` and `deviation_inverse` = 1 / sqrt(variance + eps).
void layer_norm_forward(std::int64_t rows, std::int64_t d, std::span<const real> x,
                        std::span<const real> gamma, std::span<const real> beta, double eps,
                        std::span<real> mean, std::span<real> deviation_inverse, std::span<real> y);
// Overwrites dx, dgamma and dbeta.
void layer_norm_backward(std::int64_t rows, std::int64_t d, std::span<const real> dy,
                         std::span<const real> x, std::span<const real> gamma,
                         std::span<const real> mean, std::span<const real> deviation_inverse,
                         std::span<real> dx, std::span<real> dgamma, std::span<real> dbeta);

}  // namespace terse::kernels
