// Pooling over windows of an image. All tensors are dense NCHW. Where a window extends beyond the
// edge it covers padding: minus infinity for max, zeros for average. The average divides by
// kernel², so it counts the zeros, as PyTorch's default does.
#pragma once

#include <cstdint>
#include <span>
#include <type_traits>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

// x (planes, H, W) -> y (planes, P, Q), where planes = N · C.
struct PoolShape {
  std::int64_t planes, h, w, kernel, stride, padding;
  std::int64_t p() const { return (h + 2 * padding - kernel) / stride + 1; }
  std::int64_t q() const { return (w + 2 * padding - kernel) / stride + 1; }
};

// A position in a window, row · kernel + column. It has the width of `real`, so loops
// over both vectorise.
using WindowPlace = std::conditional_t<sizeof(real) == 4, std::int32_t, std::int64_t>;

// y = the maximum of each window; `where` is its position in the window. Of equal elements the
// first is chosen. A NaN is greater than any number, so y shows it.
void max_pool2d_forward(const PoolShape& shape, std::span<const real> x, std::span<real> y,
                        std::span<WindowPlace> where);
// The gradient of each window is added to dx at its maximum. Overwrites dx.
void max_pool2d_backward(const PoolShape& shape, std::span<const real> dy,
                         std::span<const WindowPlace> where, std::span<real> dx);

// y = (sum of each window) / kernel². The backward function overwrites dx.
void avg_pool2d_forward(const PoolShape& shape, std::span<const real> x, std::span<real> y);
void avg_pool2d_backward(const PoolShape& shape, std::span<const real> dy, std::span<real> dx);

}  // namespace terse::kernels
