// Softmax over the last dimension, its logarithm, and cross-entropy. x is (rows, D), dense.
// The greatest element of a row is taken out first, so nothing overflows.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

void softmax_forward(std::int64_t rows, std::int64_t d, std::span<const real> x, std::span<real> y);
// dx = y ⊙ (dy - <dy, y>)
void softmax_backward(std::int64_t rows, std::int64_t d, std::span<const real> y,
                      std::span<const real> dy, std::span<real> dx);

void log_softmax_forward(std::int64_t rows, std::int64_t d, std::span<const real> x,
                         std::span<real> y);
// dx = dy - exp(y) · sum dy
void log_softmax_backward(std::int64_t rows, std::int64_t d, std::span<const real> y,
                          std::span<const real> dy, std::span<real> dx);

// Returns the sum over rows of -log softmax(x + bias)[label]; an empty bias is zero.
// dx = scale · (softmax(x + bias) - onehot(label)), and may be x itself; without a bias it may be
// empty: not wanted.
double cross_entropy(std::int64_t rows, std::int64_t d, std::span<const real> x,
                     std::span<const real> bias, std::span<const std::int32_t> labels, real scale,
                     std::span<real> dx);

}  // namespace terse::kernels
