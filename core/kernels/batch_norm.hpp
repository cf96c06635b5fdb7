// Batch normalisation: every channel is normalised over the batch.
//
// The addition of a shortcut and ReLU, which follow it in residual networks, are done in the same
// pass, because these layers are bound by memory bandwidth.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

// x, y, residual and their gradients have shape (N, C, pixels).
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
// Normalises with the statistics of this batch. Writes the mean and the biased variance of each
// channel to `mean` and `variance`.
void batch_norm_forward(const ChannelShape& shape, const BatchNormForward& in, std::span<real> mean,
                        std::span<real> variance, std::span<real> y);
// Normalises with the given statistics.
void batch_norm_apply(const ChannelShape& shape, const BatchNormForward& in,
                      std::span<const real> mean, std::span<const real> variance,
                      std::span<real> y);

struct BatchNormBackward {
  std::span<const real> dy, x, gamma, mean, variance;
  std::span<const real> y;  // the result of forward with ReLU; empty: no ReLU
  double eps = 1e-5;
  bool batch_statistics = true;  // mean and variance were computed from x
};
// Overwrites dx, dgamma and dbeta, and dresidual unless it is empty.
void batch_norm_backward(const ChannelShape& shape, const BatchNormBackward& in, std::span<real> dx,
                         std::span<real> dgamma, std::span<real> dbeta, std::span<real> dresidual);

}  // namespace terse::kernels
