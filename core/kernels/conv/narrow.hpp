// Direct correlation of stride 1 with few output channels, and its weight gradient.
#pragma once

#include <cstdint>

namespace terse::kernels {

struct NarrowCorrelation {
  std::int64_t n, c, h, w, k, r, s, padding;
  std::int64_t p() const { return h + 2 * padding - r + 1; }
  std::int64_t q() const { return w + 2 * padding - s + 1; }
};

// The maximum number of output channels. More of them fill a panel of the direct kernel
// (direct.cpp).
inline constexpr std::int64_t kNarrow = 6;

// x (N, C, H, W), w (K, R, C, S) -> y (N, K, P, Q). bias is (K) or nullptr. K is at most kNarrow.
void correlate_narrow(const NarrowCorrelation& a, const float* x, const float* w, const float* bias,
                      float* y);

// Computes dw (K, C, R, S) from x and dy.
void narrow_weight_gradient(const NarrowCorrelation& a, const float* x, const float* dy, float* dw);

}  // namespace terse::kernels
