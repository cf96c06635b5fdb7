// Naive code from the formulas, and claims, for the sparse family.
#include "claims.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace terse {
namespace {

// The ratios here have few decimals, so a product within 1e-9 of a whole number is that number.
double floor_of_product(double ratio, double n) {
  return std::floor(ratio * n + 1e-9);
}
double ceil_of_product(double ratio, double n) {
  return std::ceil(ratio * n - 1e-9);
}

std::int64_t kept_of(std::int64_t n, double ratio) {
  return n == 0 ? 0 : std::max<std::int64_t>(1, std::int64_t(floor_of_product(ratio, double(n))));
}

OwnedGradients reference_topk(const Workers& workers, double ratio) {
  auto result = zeros_like(workers[0]);
  for (const auto& worker : workers) {
    for (std::size_t t = 0; t < result.size(); ++t) {
      const auto& x = worker[t].values;
      std::vector<std::size_t> order(x.size());
      std::iota(order.begin(), order.end(), 0U);
      std::stable_sort(order.begin(), order.end(),
                       [&](auto a, auto b) { return std::abs(x[a]) > std::abs(x[b]); });
      order.resize(static_cast<std::size_t>(kept_of(std::ssize(x), ratio)));
      for (const auto i : order) result[t].values[i] += x[i] / static_cast<float>(workers.size());
    }
  }
  return result;
}

OwnedGradients reference_randomk(const Round& round, const Workers& workers, double ratio,
                                 bool scaled) {
  auto result = mean_of(workers);
  for (auto& tensor : result) {
    const auto n = std::ssize(tensor.values), k = kept_of(n, ratio);
    Philox random(round.seed, {.purpose = Purpose::compress, .tensor = tensor.id});
    std::set<std::int64_t> chosen;
    for (auto last = n - k; last < n; ++last) {
      const auto pick = static_cast<std::int64_t>(random.below(std::uint64_t(last) + 1));
      if (!chosen.insert(pick).second) chosen.insert(last);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      if (!chosen.contains(i)) tensor.values[i] = 0;
      if (scaled) tensor.values[i] *= static_cast<float>(double(n) / double(k));
    }
  }
  return result;
}

OwnedGradients reference_randomblock(const Round& round, const Workers& workers, double ratio) {
  auto result = mean_of(workers);
  for (auto& tensor : result) {
    const auto n = std::ssize(tensor.values), b = kept_of(n, ratio);
    if (n == 0) continue;
    Philox random(round.seed, {.purpose = Purpose::compress, .tensor = tensor.id});
    const auto start = static_cast<std::int64_t>(random.below(std::uint64_t(n)));
    for (std::int64_t i = 0; i < n; ++i) {
      if ((i - start + n) % n >= b) tensor.values[i] = 0;
    }
  }
  return result;
}

OwnedGradients reference_threshold(const Workers& workers, float tau) {
  auto result = zeros_like(workers[0]);
  for (const auto& worker : workers) {
    for (std::size_t t = 0; t < result.size(); ++t) {
      for (std::size_t i = 0; i < result[t].values.size(); ++i) {
        const float x = worker[t].values[i];
        const float reconstruction = x > tau ? tau : x < -tau ? -tau : 0;
        result[t].values[i] += reconstruction / static_cast<float>(workers.size());
      }
    }
  }
  return result;
}

double threshold_error(const OwnedGradients& x, double tau) {
  double lost = 0;
  for (const float v : flat(x)) {
    const double size = std::abs(v);
    lost += size > tau ? (size - tau) * (size - tau) : size * size;
  }
  return lost / squares(flat(x));
}

// The first step of DGC: top-k of matrices; vectors are sent uncompressed.
OwnedGradients reference_dgc(const Workers& workers, double ratio) {
  auto result = mean_of(workers);
  for (std::size_t t = 0; t < result.size(); ++t) {
    if (result[t].cols == 1) continue;
    Workers matrix;
    for (const auto& worker : workers) matrix.push_back({worker[t]});
    const auto n = static_cast<double>(result[t].size());
    result[t].values = reference_topk(matrix, (ceil_of_product(ratio, n) + 0.5) / n)[0].values;
  }
  return result;
}

// Top-k whose kept values are replaced by their sign times their mean magnitude.
OwnedGradients reference_topk_sign(const Workers& workers, double ratio) {
  auto result = zeros_like(workers[0]);
  for (const auto& worker : workers) {
    const auto kept = reference_topk({worker}, ratio);
    for (std::size_t t = 0; t < result.size(); ++t) {
      double scale = 0;
      for (const float v : kept[t].values) scale += std::abs(double{v});
      scale /= static_cast<double>(kept_of(std::ssize(kept[t].values), ratio));
      for (std::size_t i = 0; i < result[t].values.size(); ++i) {
        const float v = kept[t].values[i];
        const double reconstruction = v > 0 ? scale : v < 0 ? -scale : 0;
        result[t].values[i] +=
            static_cast<float>(reconstruction / static_cast<double>(workers.size()));
      }
    }
  }
  return result;
}

// The variance of Wangni's sparsification, with the probabilities of the paper's algorithm 3, which
// are held in a vector.
double greedy_variance(const OwnedTensor& tensor, double ratio) {
  const auto& x = tensor.values;
  const double wanted = ratio * static_cast<double>(x.size());
  double norm1 = 0;
  for (const float v : x) norm1 += std::abs(double{v});
  std::vector<double> p;
  for (const float v : x) p.push_back(std::min(1.0, wanted * std::abs(v) / norm1));
  for (int iteration = 0; iteration < 2; ++iteration) {
    double certain = 0, others = 0;
    for (const double each : p) (each == 1 ? certain : others) += each;
    const double more = (wanted - certain) / others;
    if (others == 0 || more <= 1) break;
    for (double& each : p) each = each == 1 ? 1 : std::min(1.0, more * each);
  }
  double variance = 0;
  for (std::size_t i = 0; i < x.size(); ++i) variance += double{x[i]} * x[i] * (1 / p[i] - 1);
  return variance / squares(x);
}

// The sum of max(1, floor(ratio n)) over the tensors.
std::size_t kept(const Shapes& shapes, double ratio) {
  std::size_t k = 0;
  for (const auto& shape : shapes) {
    const auto n = static_cast<double>(shape.rows * shape.cols);
    if (n > 0) k += static_cast<std::size_t>(std::max(1.0, floor_of_product(ratio, n)));
  }
  return k;
}

double unkept_share(const OwnedTensor& tensor, double ratio) {
  const auto n = static_cast<double>(tensor.values.size());
  return 1 - std::max(1.0, floor_of_product(ratio, n)) / n;
}

double scaled_variance(const OwnedTensor& tensor, double ratio) {
  const auto n = static_cast<double>(tensor.values.size());
  return n / std::max(1.0, floor_of_product(ratio, n)) - 1;
}

CompressorClaims topk_claims(double ratio) {
  return {.error = [=](const auto& x) { return weighted(x, unkept_share, ratio); },
          .permutable = true,
          .payload_bytes = [=](const Shapes& shapes) { return 8 * kept(shapes, ratio); },
          .reference = [=](const Round&,
                           const auto& workers) { return reference_topk(workers, ratio); }};
}

CompressorClaims topk_of_model_claims(double ratio) {
  const auto kept_of_all = [=](double d) {
    return d == 0 ? 0 : std::max(1.0, floor_of_product(ratio, d));
  };
  return {.error =
              [=](const auto& x) {
                const auto d = static_cast<double>(flat(x).size());
                return 1 - kept_of_all(d) / d;
              },
          .whole_model = true,
          .permutable = true,
          .payload_bytes =
              [=](const Shapes& shapes) {
                return 8 * static_cast<std::size_t>(
                               kept_of_all(static_cast<double>(coordinates(shapes))));
              }};
}

CompressorClaims randomk_claims(double ratio, bool scaled) {
  return {.error =
              [=](const auto& x) {
                return weighted(x, scaled ? scaled_variance : unkept_share, ratio);
              },
          .error_is_exact = true,
          .unbiased = scaled,
          .linear = true,
          .payload_bytes = [=](const Shapes& shapes) { return 4 * kept(shapes, ratio); },
          .reference =
              [=](const Round& round, const auto& workers) {
                return reference_randomk(round, workers, ratio, scaled);
              }};
}

CompressorClaims randomblock_claims(double ratio) {
  return {.error = [=](const auto& x) { return weighted(x, unkept_share, ratio); },
          .error_is_exact = true,
          .linear = true,
          .payload_bytes = [=](const Shapes& shapes) { return 4 * kept(shapes, ratio); },
          .reference =
              [=](const Round& round, const auto& workers) {
                return reference_randomblock(round, workers, ratio);
              }};
}

CompressorClaims threshold_claims(float tau) {
  return {.error = [=](const auto& x) { return threshold_error(x, tau); },
          .error_is_exact = true,
          .permutable = true,
          .reference = [=](const Round&,
                           const auto& workers) { return reference_threshold(workers, tau); }};
}

CompressorClaims dgc_claims(double ratio) {
  return {.error = [=](const auto& x) { return weighted(x, unkept_share, 0); },
          .permutable = true,
          .payload_bytes =
              [=](const Shapes& shapes) {
                double words = 0;
                for (const auto& [name, n, m, kernel] : shapes) {
                  const auto all = static_cast<double>(n * m), k = ceil_of_product(ratio, all);
                  words += m == 1 || k == all ? all : 2 * k;
                }
                return 4 * static_cast<std::size_t>(words);
              },
          .reference = [=](const Round&,
                           const auto& workers) { return reference_dgc(workers, ratio); }};
}

CompressorClaims wangni_claims(double ratio) {
  return {.error = [=](const auto& x) { return weighted(x, greedy_variance, ratio); },
          .error_is_exact = true,
          .unbiased = true};
}

// The variance equals the requested one for every input.
CompressorClaims exact_wangni_claims(double variance) {
  return {.error = [=](const auto&) { return variance; }, .error_is_exact = true, .unbiased = true};
}

CompressorClaims topk_sign_claims(double ratio) {
  return {.error = [=](const auto& x) { return weighted(x, unkept_share, 0); },
          .permutable = true,
          .payload_bytes =
              [=](const Shapes& shapes) {
                const auto k = kept(shapes, ratio);
                return 4 * (1 + k + shapes.size() + (k + 31) / 32);
              },
          .reference = [=](const Round&,
                           const auto& workers) { return reference_topk_sign(workers, ratio); }};
}

}  // namespace

std::vector<ClaimedSpec> sparse_claims() {
  return {{"topk:ratio=0.01", topk_claims(0.01)},
          {"topk:ratio=0.25", topk_claims(0.25)},
          {"topk:ratio=0.1,scope=model", topk_of_model_claims(0.1)},
          {"randomk:ratio=0.01", randomk_claims(0.01, false)},
          {"randomk:ratio=0.3", randomk_claims(0.3, false)},
          {"randomk:ratio=0.3,scaled", randomk_claims(0.3, true)},
          {"threshold:tau=0.01", threshold_claims(0.01F)},
          {"threshold:tau=0.7", threshold_claims(0.7F)},
          {"dgc:ratio=0.001", {}},  // sampled threshold, so no fixed size
          {"dgc:ratio=0.1,sample=1", dgc_claims(0.1)},
          {"dgc:ratio=0.1,nesterov,masking=false,beta=0.5", {}},
          {"dgc:ratio=0.1,clip=0.5", {.whole_model = true}},
          {"wangni:ratio=0.1", wangni_claims(0.1)},
          {"wangni:ratio=0.5", wangni_claims(0.5)},
          {"wangni:variance=0.3", exact_wangni_claims(0.3)},
          {"randomblock:ratio=0.01", randomblock_claims(0.01)},
          {"randomblock:ratio=0.3", randomblock_claims(0.3)},
          {"topk:ratio=0.25+sign", topk_sign_claims(0.25)},
          {"topk:ratio=0.3,scope=model+sign", {.whole_model = true}}};
}

}  // namespace terse
