// Two-dimensional convolution (cross-correlation) and its gradients.
//
// All tensors are dense NCHW. `kernels::conv2d_*` choose the fastest kernel: Winograd's method
// where it applies and has enough channels, the depthwise kernel for groups of one input
// channel, and otherwise the direct kernel, which supports every shape. Winograd's method and
// the direct kernel are built on the register tile of tile.hpp. `kernels::reference::conv2d_*`
// are the definition, written as sums: the fast kernels are tested against them, and the double
// build uses them.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

// x (N, C, H, W), w (K, C / groups, R, S) -> y (N, K, P, Q). C and K are multiples of `groups`. The
// output channels of a group depend only on the input channels of the same group.
struct ConvShape {
  std::int64_t n, c, h, w, k, r, s, stride, padding, groups = 1;
  std::int64_t p() const { return (h + 2 * padding - r) / stride + 1; }
  std::int64_t q() const { return (w + 2 * padding - s) / stride + 1; }
};

// y[n,k,p,q] = bias[k] + sum over c,r,s (c in the group of k) of
//              x[n, c, p·stride + r - padding, q·stride + s - padding] · w[k,c,r,s]
// An empty bias is zero, and so is x outside the image. Overwrites y.
void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y);
// Computes dx from dy and w. Overwrites dx.
void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx);
// Computes dw from x and dy. Overwrites dw.
void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw);

// db[k] = sum over n,p,q of dy[n,k,p,q]. Overwrites db.
void channel_sum(std::int64_t n, std::int64_t k, std::int64_t pixels, std::span<const real> dy,
                 std::span<real> db);

// Exact convolution: with true, every sum is computed as written above. Winograd's method, whose
// rounding errors are about ten times larger (winograd.cpp), is then not used. This setting of the
// whole process is off by default.
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

// Only for groups of one input channel.
namespace depthwise {
void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y);
void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx);
void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw);
}  // namespace depthwise

// Only where `applies` is true: 3x3 kernels, stride 1, padding 1, one group, and at
// least one image.
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
