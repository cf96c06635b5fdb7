// Softmax over the last dimension, its logarithm, and cross-entropy. x is (rows, D), dense. The
// maximum of a row is subtracted before exponentials are computed, so they do not overflow.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

// y = softmax(x).
void softmax_forward(std::int64_t rows, std::int64_t d, std::span<const real> x, std::span<real> y);
// dx = y ⊙ (dy - <dy, y>)
void softmax_backward(std::int64_t rows, std::int64_t d, std::span<const real> y,
                      std::span<const real> dy, std::span<real> dx);

// y = log softmax(x).
void log_softmax_forward(std::int64_t rows, std::int64_t d, std::span<const real> x,
                         std::span<real> y);
// dx = dy - exp(y) · sum dy
void log_softmax_backward(std::int64_t rows, std::int64_t d, std::span<const real> y,
                          std::span<const real> dy, std::span<real> dx);

// Returns the sum over rows of -log softmax(x + bias)[label]; an empty bias is zero. Writes the
// gradient dx = scale · (softmax(x + bias) - onehot(label)). dx may be x itself. Without a bias, dx
// may be empty: the gradient is then not computed.
double cross_entropy(std::int64_t rows, std::int64_t d, std::span<const real> x,
                     std::span<const real> bias, std::span<const std::int32_t> labels, real scale,
                     std::span<real> dx);

}  // namespace terse::kernels
