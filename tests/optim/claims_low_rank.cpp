// Naive code from the formulas, and claims, for the low-rank family.
#include "claims.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "naive_svd.hpp"

namespace terse {
namespace {

// Classical Gram-Schmidt, applied twice, on columns of n doubles.
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

bool is_compressed(std::int64_t n, std::int64_t m, std::int64_t rank, double iterations,
                   double min_rate) {
  return m > 1 && (min_rate == 0 || min_rate * iterations * double(rank * (n + m)) < double(n * m));
}

OwnedGradients reference_powersgd(const Round& round, const Workers& workers, std::int64_t rank,
                                  int iterations, double min_rate) {
  auto result = mean_of(workers);
  for (auto& tensor : result) {
    const auto n = tensor.rows, m = tensor.cols, r = std::min({rank, n, m});
    if (!is_compressed(n, m, rank, iterations, min_rate)) continue;
    Philox random(round.seed, {.purpose = Purpose::compress, .tensor = tensor.id});
    std::vector<std::vector<double>> p, q(r, std::vector<double>(m));
    for (auto& column : q) {
      for (double& value : column) value = random.normal();
    }
    const auto matrix = [&](std::int64_t i, std::int64_t j) {
      return double{tensor.values[i * m + j]};
    };
    for (int iteration = 0; iteration < iterations; ++iteration) {
      p.assign(r, std::vector<double>(n));
      for (std::int64_t c = 0; c < r; ++c) {
        for (std::int64_t i = 0; i < n; ++i) {
          for (std::int64_t j = 0; j < m; ++j) p[c][i] += matrix(i, j) * q[c][j];
        }
      }
      orthonormalise_columns(p);
      for (std::int64_t c = 0; c < r; ++c) {
        for (std::int64_t j = 0; j < m; ++j) {
          q[c][j] = 0;
          for (std::int64_t i = 0; i < n; ++i) q[c][j] += matrix(i, j) * p[c][i];
        }
      }
    }
    std::vector<float> approximation(tensor.values.size());
    for (std::int64_t j = 0; j < m; ++j) {
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

CompressorClaims powersgd_claims(std::int64_t rank, int iterations = 1, double min_rate = 0) {
  return {.error = [](const auto&) { return 1.0; },  // a projection: no delta > 0 for every input
          .linear = true,
          .rotatable = true,
          .payload_bytes =
              [=](const Shapes& shapes) {
                std::int64_t floats = 0;
                for (const auto& [name, n, m, kernel] : shapes) {
                  const bool factors = is_compressed(n, m, rank, iterations, min_rate);
                  floats += factors ? iterations * std::min({rank, n, m}) * (n + m) : n * m;
                }
                return 4 * static_cast<std::size_t>(floats);
              },
          .reference =
              [=](const Round& round, const auto& workers) {
                return reference_powersgd(round, workers, rank, iterations, min_rate);
              }};
}

// Half-steps on the remainder R of the mean, beginning with the first step: A = R, R^T, R, …
OwnedGradients reference_alternating(const Round& round, const Workers& workers, std::int64_t rank,
                                     int half_steps, double min_rate) {
  auto result = mean_of(workers);
  for (auto& tensor : result) {
    const auto n = tensor.rows, m = tensor.cols, r = std::min({rank, n, m});
    if (!is_compressed(n, m, rank, 0.5 * half_steps, min_rate)) continue;
    Philox random(round.seed, {.purpose = Purpose::compress, .tensor = tensor.id});
    std::vector<std::vector<double>> in(r, std::vector<double>(n));
    for (auto& column : in) {
      for (double& value : column) value = random.normal();
    }
    std::vector<double> left(tensor.values.begin(), tensor.values.end());
    for (int half = 0; half < half_steps; ++half) {
      const bool even = half % 2 == 0;
      const auto a = [&](std::int64_t i, std::int64_t j) -> double& {
        return even ? left[i * m + j] : left[j * m + i];
      };
      const auto rows = even ? n : m, cols = even ? m : n;
      orthonormalise_columns(in);
      std::vector<std::vector<double>> out(r, std::vector<double>(cols));
      for (std::int64_t c = 0; c < r; ++c) {
        for (std::int64_t j = 0; j < cols; ++j) {
          for (std::int64_t i = 0; i < rows; ++i) out[c][j] += a(i, j) * in[c][i];
        }
      }
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < cols; ++j) {
          for (std::int64_t c = 0; c < r; ++c) a(i, j) -= in[c][i] * out[c][j];
        }
      }
      in = out;
    }
    for (std::size_t i = 0; i < left.size(); ++i) {
      tensor.values[i] = static_cast<float>(tensor.values[i] - left[i]);
    }
  }
  return result;
}

// `payload_bytes` is that of the second step, which begins with a P if the number of half-steps is
// odd.
CompressorClaims alternating_claims(std::int64_t rank, int half_steps = 1, double min_rate = 0) {
  return {.error = [](const auto&) { return 1.0; },
          .linear = true,
          .payload_bytes =
              [=](const Shapes& shapes) {
                std::int64_t floats = 0;
                for (const auto& [name, n, m, kernel] : shapes) {
                  const auto r = std::min({rank, n, m});
                  const auto pairs = half_steps / 2, odd = half_steps % 2;
                  const bool factors = is_compressed(n, m, rank, 0.5 * half_steps, min_rate);
                  floats += factors ? r * (pairs * (n + m) + odd * n) : n * m;
                }
                return 4 * static_cast<std::size_t>(floats);
              },
          .reference =
              [=](const Round& round, const auto& workers) {
                return reference_alternating(round, workers, rank, half_steps, min_rate);
              }};
}

// The mean of the workers' best approximations of rank `rank`.
OwnedGradients reference_svd(const Workers& workers, std::int64_t rank) {
  auto result = zeros_like(workers[0]);
  for (const auto& worker : workers) {
    for (std::size_t t = 0; t < result.size(); ++t) {
      const auto& x = worker[t];
      if (x.values.empty()) continue;
      const NaiveSvd svd(x.rows, x.cols, x.values);
      for (std::int64_t i = 0; i < x.size(); ++i) {
        const double best =
            x.cols == 1 ? double{x.values[i]} : svd.best(rank, i / x.cols, i % x.cols);
        result[t].values[i] += static_cast<float>(best / double(workers.size()));
      }
    }
  }
  return result;
}

double svd_error(const OwnedTensor& tensor, double rank) {
  if (tensor.cols == 1) return 0;
  const NaiveSvd svd(tensor.rows, tensor.cols, tensor.values);
  double lost = 0;
  for (std::size_t c = 0; c < svd.s.size(); ++c) {
    if (static_cast<double>(c) >= rank) lost += svd.s[c] * svd.s[c];
  }
  return lost / squares(tensor.values);
}

// The relative variance of ATOMO. Finds by bisection the scale for which the probabilities min(1,
// scale s) sum to the budget. Vectors of even length are folded to two columns; those of odd length
// are sent uncompressed. The test shapes contain no convolution.
double atomo_variance(const OwnedTensor& tensor, double budget) {
  const bool vector = tensor.cols == 1;
  if (vector && tensor.rows % 2 != 0) return 0;
  const NaiveSvd svd(vector ? tensor.rows / 2 : tensor.rows, vector ? 2 : tensor.cols,
                     tensor.values);
  if (static_cast<double>(svd.s.size()) <= budget) return 0;
  double low = 0, high = 1 / svd.s.back();
  for (int i = 0; i < 200; ++i) {
    const double scale = (low + high) / 2;
    double sum = 0;
    for (const double s : svd.s) sum += std::min(1.0, scale * s);
    (sum < budget ? low : high) = scale;
  }
  double variance = 0;
  for (const double s : svd.s) variance += s * s * (1 / std::min(1.0, low * s) - 1);
  return variance / squares(tensor.values);
}

CompressorClaims svd_claims(std::int64_t rank) {
  return {
      .error = [=](const auto& x) { return weighted(x, svd_error, double(rank)); },
      .error_is_exact = true,
      .rotatable = true,
      .payload_bytes = powersgd_claims(rank).payload_bytes,
      .reference = [=](const Round&, const auto& workers) { return reference_svd(workers, rank); }};
}

CompressorClaims atomo_claims(std::int64_t rank) {
  return {.error = [=](const auto& x) { return weighted(x, atomo_variance, double(rank)); },
          .error_is_exact = true,
          .unbiased = true,
          .rotatable = true};
}

OwnedGradients reference_unbiased_rank(const Round& round, const Workers& workers,
                                       std::int64_t rank) {
  auto result = mean_of(workers);
  for (auto& tensor : result) {
    const auto m = tensor.cols;
    if (m == 1) continue;
    Philox random(round.seed, {.purpose = Purpose::compress, .tensor = tensor.id});
    std::vector<double> u(rank * m);
    for (double& value : u) value = random.normal() / std::sqrt(double(rank));
    const auto x = tensor.values;
    for (std::int64_t i = 0; i < tensor.rows; ++i) {
      for (std::int64_t j = 0; j < m; ++j) {
        double sum = 0;
        for (std::int64_t c = 0; c < rank; ++c) {
          for (std::int64_t k = 0; k < m; ++k) sum += x[i * m + k] * u[c * m + k] * u[c * m + j];
        }
        tensor.values[i * m + j] = static_cast<float>(sum);
      }
    }
  }
  return result;
}

double unbiased_rank_variance(const OwnedTensor& tensor, double rank) {
  return tensor.cols == 1 ? 0 : (static_cast<double>(tensor.cols) + 1) / rank;
}

CompressorClaims unbiased_rank_claims(std::int64_t rank) {
  return {.error = [=](const auto& x) { return weighted(x, unbiased_rank_variance, double(rank)); },
          .error_is_exact = true,
          .unbiased = true,
          .linear = true,
          .rotatable = true,
          .payload_bytes =
              [=](const Shapes& shapes) {
                std::int64_t floats = 0;
                for (const auto& [name, n, m, kernel] : shapes) floats += m > 1 ? rank * n : n * m;
                return 4 * static_cast<std::size_t>(floats);
              },
          .reference =
              [=](const Round& round, const auto& workers) {
                return reference_unbiased_rank(round, workers, rank);
              }};
}

// The first step is a learning step and exact. `payload_bytes` is that of the second step.
CompressorClaims gradiveq_claims(std::int64_t slice, std::int64_t keep) {
  return {.error = [](const auto&) { return 0.0; },
          .error_is_exact = true,
          .linear = true,
          .payload_bytes =
              [=](const Shapes& shapes) {
                std::int64_t floats = 0;
                for (const auto& [name, n, m, kernel] : shapes) {
                  floats += n * m / slice * keep + n * m % slice;
                }
                return 4 * static_cast<std::size_t>(floats);
              },
          .reference = [](const Round&, const auto& workers) { return mean_of(workers); }};
}

}  // namespace

std::vector<ClaimedSpec> low_rank_claims() {
  return {{"powersgd:rank=2", powersgd_claims(2, 1, 1)},
          {"powersgd:rank=2,min_rate=0", powersgd_claims(2)},
          {"powersgd:rank=4,warm=false,min_rate=0", powersgd_claims(4)},
          {"powersgd:rank=1,iterations=3,min_rate=0", powersgd_claims(1, 3)},
          {"powersgd:rank=2,min_rate=2", powersgd_claims(2, 1, 2)},
          {"powersgd:rank=2,alternate", alternating_claims(2, 1, 1)},
          {"powersgd:rank=2,alternate,min_rate=0", alternating_claims(2)},
          {"powersgd:rank=1,alternate,iterations=3,min_rate=0", alternating_claims(1, 3)},
          {"powersgd:rank=2,alternate,iterations=4,min_rate=0", alternating_claims(2, 4)},
          {"svd:rank=2", svd_claims(2)},
          {"svd:rank=5", svd_claims(5)},
          {"unbiased_rank:rank=2", unbiased_rank_claims(2)},
          {"unbiased_rank:rank=5", unbiased_rank_claims(5)},
          {"atomo:rank=2", atomo_claims(2)},
          {"atomo:rank=1", atomo_claims(1)},
          {"atomo:rank=1,independent", atomo_claims(1)},
          {"gradiveq:slice=64,keep=8", gradiveq_claims(64, 64)},
          {"gradiveq:slice=8,keep=2,samples=1,period=3", gradiveq_claims(8, 2)}};
}

}  // namespace terse
