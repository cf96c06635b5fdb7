// Estimates the variance of a gradient from moving averages of the gradient and of its square.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace terse::rule {

// m and v are the moving averages of g and g² over t steps, started at zero and divided by
// 1 - beta^t:
//
//   r = (1 - beta) (1 + beta^t) / ((1 + beta) (1 - beta^t))
//   s = (v - m²) / (1 - r)        variance of the gradient; r s is the variance of m
//
// r is the sum of the squared weights of the gradients in m, so E[v - m²] = (1 - r) s for a
// gradient with constant mean. At the first step r = 1 and s cannot be estimated; it is taken as 0.
// Source: Balles and Hennig, arXiv 1705.07774.
struct Averages {
  float beta, one_minus_beta, correction;  // correction = 1 / (1 - beta^t)
  float spread = 0;                        // r / (1 - r)

  Averages(double exact_beta, std::uint64_t steps) {
    const double left = std::pow(exact_beta, static_cast<double>(steps));
    const double r = (1 - exact_beta) * (1 + left) / ((1 + exact_beta) * (1 - left));
    beta = static_cast<float>(exact_beta);
    one_minus_beta = static_cast<float>(1 - exact_beta);
    correction = static_cast<float>(1 / (1 - left));
    if (steps > 1 && r < 1) spread = static_cast<float>(r / (1 - r));
  }

  void update(float g, float& m, float& v) const {
    m = beta * m + one_minus_beta * g;
    v = beta * v + one_minus_beta * (g * g);
  }
  // r s: the variance of the bias-corrected m, whose value is `mean`. v - m² is clamped at 0,
  // because rounding can make it negative.
  float variance(float mean, float v) const {
    return spread * std::max(correction * v - mean * mean, 0.0F);
  }
};

}  // namespace terse::rule
