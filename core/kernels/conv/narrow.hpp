// Direct correlation, stride 1, with few output channels (narrow.cpp).
#pragma once

#include <cstdint>

namespace terse::kernels {

struct NarrowCorrelation {
  std::int64_t n, c, h, w, k, r, s, padding;
};

// More output channels than this fill a panel of their own.
inline constexpr std::int64_t kNarrow = 6;

// x (N, C, H, W) with w (K, R, C, S) gives y (N, K, P, Q); bias (K), or nullptr. K at most kNarrow.
void correlate_narrow(const NarrowCorrelation& a, const float* x, const float* w, const float* bias,
                      float* y);

}  // namespace terse::kernels
