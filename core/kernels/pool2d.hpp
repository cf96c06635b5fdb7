// Pooling over windows of an image. All tensors are dense NCHW; a window that reaches over the edge
// sees padding: minus infinity for max, zeros that count for average (PyTorch's default).
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

// x (planes, H, W) gives y (planes, P, Q), planes = N·C.
struct PoolShape {
  std::int64_t planes, h, w, kernel, stride, padding;
  std::int64_t p() const { return (h + 2 * padding - kernel) / stride + 1; }
  std::int64_t q() const { return (w + 2 * padding - kernel) / stride + 1; }
};

// A place in a window, as wide as the numbers: then the loops over both vectorise.
using WindowPlace = std::conditional_t<sizeof(real) == 4, std::int32_t, std::int64_t>;

// y = the greatest of each window, and where in the window it stands (row · kernel + column): the
// first of equals; a NaN wins, so that it is not hidden.
void max_pool2d_forward(const PoolShape& shape, std::span<const real> x, std::span<real> y,
                        std::span<WindowPlace> where);
// dx from dy: each window's gradient goes to its greatest element. Overwrites dx.
void max_pool2d_backward(const PoolShape& shape, std::span<const real> dy,
                         std::span<const WindowPlace> where, std::span<real> dx);

// y = the sum of each window divided by kernel².
void avg_pool2d_forward(const PoolShape& shape, std::span<const real> x, std::span<real> y);
void avg_pool2d_backward(const PoolShape& shape, std::span<const real> dy, std::span<real> dx);

}  // namespace terse::kernels
