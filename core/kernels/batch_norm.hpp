// Normalisation of each channel over a batch.
//
// What follows it in a residual network, the addition of the shortcut and ReLU, is done in the same
// pass: these layers are bound by memory, not by arithmetic.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"

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

}  // namespace terse::kernels
