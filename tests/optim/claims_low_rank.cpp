// The low-rank family: naive code from the formulas, and what is claimed.
#include "claims.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace terse {
namespace {

// Classical Gram-Schmidt on columns of n doubles.
void orthonormalise_columns(std::vector<std::vector<double>>& columns) {
  for (std::size_t c = 0; c < columns.size(); ++c) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < c; ++k) {
        const auto overlap =
            std::inner_product(columns[k].begin(), columns[k].end(), columns[c].begin(), 0.0);
        for (std::size_t i = 0; i < columns[c].size(); ++i)
          columns[c][i] -= overlap * columns[k][i];
      }
    }
    const auto norm = std::sqrt(
        std::inner_product(columns[c].begin(), columns[c].end(), columns[c].begin(), 0.0));
    for (double& value : columns[c]) value /= norm;
  }
}

OwnedGradients reference_powersgd(const Round& round, const Workers& workers, std::int64_t rank) {
  auto result = mean_of(workers);
  for (auto& tensor : result) {
    const auto n = tensor.rows, m = tensor.cols, r = std::min({rank, n, m});
    if (m == 1) continue;
    Philox random(round.seed, {.purpose = Purpose::compress, .tensor = tensor.id});
    std::vector<std::vector<double>> p(r, std::vector<double>(n)), q(r, std::vector<double>(m));
    for (auto& column : q) {
      for (double& value : column) value = random.normal();
    }
    const auto matrix = [&](std::int64_t i, std::int64_t j) {
      return double{tensor.values[i * m + j]};
    };
    for (std::int64_t c = 0; c < r; ++c) {
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t j = 0; j < m; ++j) p[c][i] += matrix(i, j) * q[c][j];
      }
    }
    orthonormalise_columns(p);
    std::vector<float> approximation(tensor.values.size());
    for (std::int64_t j = 0; j < m; ++j) {
      for (std::int64_t c = 0; c < r; ++c) {
        q[c][j] = 0;
        for (std::int64_t i = 0; i < n; ++i) q[c][j] += matrix(i, j) * p[c][i];
      }
      for (std::int64_t i = 0; i < n; ++i) {
        double sum = 0;
        for (std::int64_t c = 0; c < r; ++c) sum += p[c][i] * q[c][j];
        approximation[i * m + j] = static_cast<float>(sum);
      }
    }
    tensor.values = approximation;
  }
  return result;
}

CompressorClaims powersgd_claims(std::int64_t rank) {
  return {
      .error = [](const auto&) { return 1.0; },  // a projection: no delta > 0 for every input
      .linear = true,
      .payload_bytes =
          [=](const Shapes& shapes) {
            std::int64_t floats = 0;
            for (const auto& [name, n, m] : shapes) {
              floats += m > 1 ? std::min({rank, n, m}) * (n + m) : n * m;
            }
            return 4 * static_cast<std::size_t>(floats);
          },
      .reference = [=](const Round& round,
                       const auto& workers) { return reference_powersgd(round, workers, rank); }};
}

}  // namespace

std::vector<ClaimedSpec> low_rank_claims() {
  return {{"powersgd:rank=2", powersgd_claims(2)},
          {"powersgd:rank=4,warm=false", powersgd_claims(4)}};
}

}  // namespace terse
