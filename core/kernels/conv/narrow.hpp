// Direct correlation, stride 1, with few output channels, and its weight gradient (narrow.cpp).
#pragma once

#include <cstdint>

namespace terse::kernels {

struct NarrowCorrelation {
  std::int64_t n, c, h, w, k, r, s, padding;
  std::int64_t p() const { return h + 2 * padding - r + 1; }
  std::int64_t q() const { return w + 2 * padding - s + 1; }
};

// More output channels than this fill a panel of their own.
inline constexpr std::int64_t kNarrow = 6;

// x (N, C, H, W) with w (K, R, C, S) gives y (N, K, P, Q); bias (K), or nullptr. K at most kNarrow.
void correlate_narrow(const NarrowCorrelation& a, const float* x, const float* w, const float* bias,
                      float* y);

// dw (K, C, R, S) from x and dy.
void narrow_weight_gradient(const NarrowCorrelation& a, const float* x, const float* dy, float* dw);

}  // namespace terse::kernels
