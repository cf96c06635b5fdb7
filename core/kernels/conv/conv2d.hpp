// Two-dimensional convolution (cross-correlation, as the field calls it) and its gradients.
//
// All tensors are dense NCHW. `kernels::conv2d_*` choose the fastest: Winograd's, where it applies,
// or the direct one, which covers every shape. Both work over the register tile of tile.hpp.
// `kernels::reference::conv2d_*` are the definition, written as the sums; the fast ones are tested
// against them, and the double build uses them.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

// x (N, C, H, W) with w (K, C / groups, R, S) gives y (N, K, P, Q). C and K are multiples of
// `groups`: output channels of group g see the input channels of group g only.
struct ConvShape {
  std::int64_t n, c, h, w, k, r, s, stride, padding, groups = 1;
  std::int64_t p() const { return (h + 2 * padding - r) / stride + 1; }
  std::int64_t q() const { return (w + 2 * padding - s) / stride + 1; }
};

// y[n,k,p,q] = bias[k] + sum over c,r,s (c in the group of k) of x[n,c, p·stride + r - padding,
// q·stride + s - padding] · w[k,c,r,s]; an empty bias is zero. Overwrites y.
void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y);
// dx, from dy and w. Overwrites dx.
void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx);
// dw, from x and dy. Overwrites dw.
void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw);

// db[k] = sum over n,p,q of dy[n,k,p,q]. Overwrites db.
void channel_sum(std::int64_t n, std::int64_t k, std::int64_t pixels, std::span<const real> dy,
                 std::span<real> db);

// Exact convolution: every sum is added up as it is written above, never by Winograd's method,
// whose rounding errors are about ten times larger (winograd.cpp). Off by default; for the process.
void set_exact_convolution(bool exact);
bool exact_convolution();

namespace reference {
void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y);
void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx);
void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw);
}  // namespace reference

namespace direct {
void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y);
void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx);
void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw);
}  // namespace direct

// Only where each group has one input channel.
namespace depthwise {
void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y);
void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx);
void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw);
}  // namespace depthwise

// Only where it applies: kernels of 3x3, stride 1, padding 1, one group, and some image.
namespace winograd {
bool applies(const ConvShape& shape);
void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y);
void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx);
void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw);
}  // namespace winograd

}  // namespace terse::kernels
