// A singular value decomposition M = U diag(s) Vᵀ in double by one-sided Jacobi rotations. It is
// slow, short and accurate.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace terse {

struct NaiveSvd {
  // `us`: the columns of M V = U diag(s), whose norms are the singular values in descending order.
  // `v`: the columns of V.
  std::vector<std::vector<double>> us, v;
  std::vector<double> s;

  NaiveSvd(std::int64_t n, std::int64_t m, std::span<const float> values) {
    us.assign(m, std::vector<double>(n));
    v.assign(m, std::vector<double>(m));
    for (std::int64_t j = 0; j < m; ++j) {
      v[j][j] = 1;
      for (std::int64_t i = 0; i < n; ++i) us[j][i] = values[i * m + j];
    }
    while (sweep()) {
    }
    std::vector<std::size_t> order(us.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, [&](auto a, auto b) { return dot(us[a], us[a]) > dot(us[b], us[b]); });
    const auto old_us = us, old_v = v;
    for (std::size_t c = 0; c < order.size(); ++c) {
      us[c] = old_us[order[c]];
      v[c] = old_v[order[c]];
      s.push_back(std::sqrt(dot(us[c], us[c])));
    }
    s.resize(static_cast<std::size_t>(std::min(n, m)));
  }

  // Entry (i, j) of the best approximation of rank r.
  double best(std::int64_t r, std::int64_t i, std::int64_t j) const {
    double sum = 0;
    for (std::int64_t c = 0; c < std::min(r, std::int64_t(s.size())); ++c)
      sum += us[c][i] * v[c][j];
    return sum;
  }

 private:
  static double dot(const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  }
  static void turn(std::vector<double>& a, std::vector<double>& b, double cosine, double sine) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double old = a[i];
      a[i] = cosine * old - sine * b[i];
      b[i] = sine * old + cosine * b[i];
    }
  }
  // Makes every pair of columns orthogonal once. Returns whether any pair was not orthogonal.
  bool sweep() {
    bool turned = false;
    for (std::size_t p = 0; p < us.size(); ++p) {
      for (std::size_t q = p + 1; q < us.size(); ++q) {
        const double pp = dot(us[p], us[p]), qq = dot(us[q], us[q]), pq = dot(us[p], us[q]);
        if (std::abs(pq) <= 1e-14 * std::sqrt(pp * qq) || std::abs(pq) < 1e-280) continue;
        const double theta = (qq - pp) / (2 * pq);
        const double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::hypot(1.0, theta));
        const double cosine = 1 / std::hypot(1.0, t);
        turn(us[p], us[q], cosine, t * cosine);
        turn(v[p], v[q], cosine, t * cosine);
        // Without this condition, columns that are zero up to rounding would be rotated endlessly.
        turned = turned || std::abs(pq) > 1e-13 * std::max(pp, qq);
      }
    }
    return turned;
  }
};

}  // namespace terse
