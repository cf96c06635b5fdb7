// The relative variance of a gradient, from moving averages of it and of its square.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace terse::rule {

// With averages m and v over steps 0 … t-1, both from zero and divided by 1 - beta^t:
//
//   r = (1 - beta) (1 + beta^t) / ((1 + beta) (1 - beta^t))
//   s = (v - m²) / (1 - r)        the gradient's variance; r s is that of m
//
// r is the sum of the squared weights in m, so E[v - m²] = (1 - r) s for a gradient whose mean
// stands still. At the first step r = 1, and nothing is known: s counts as zero.
struct Averages {
  float keep, take, correction;  // correction = 1 / (1 - beta^t)
  float spread = 0;              // r / (1 - r)

  Averages(double beta, std::uint64_t steps) {
    const double left = std::pow(beta, static_cast<double>(steps));
    const double r = (1 - beta) * (1 + left) / ((1 + beta) * (1 - left));
    keep = static_cast<float>(beta);
    take = static_cast<float>(1 - beta);
    correction = static_cast<float>(1 / (1 - left));
    if (steps > 1 && r < 1) spread = static_cast<float>(r / (1 - r));
  }

  void update(float g, float& m, float& v) const {
    m = keep * m + take * g;
    v = keep * v + take * (g * g);
  }
  // The variance of the corrected m. Rounding may make v - m² negative, which no variance is.
  float variance(float mean, float v) const {
    return spread * std::max(correction * v - mean * mean, 0.0F);
  }
};

}  // namespace terse::rule
