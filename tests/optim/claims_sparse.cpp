// The sparse family: naive code from the formulas, and what is claimed.
#include "claims.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace terse {
namespace {

std::int64_t kept_of(std::int64_t n, double ratio) {
  return n == 0 ? 0 : std::max<std::int64_t>(1, std::int64_t(std::floor(ratio * double(n))));
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

// sum of max(1, floor(ratio n)) over the tensors
std::size_t kept(const Shapes& shapes, double ratio) {
  std::size_t k = 0;
  for (const auto& shape : shapes) {
    const auto n = static_cast<double>(shape.rows * shape.cols);
    if (n > 0) k += static_cast<std::size_t>(std::max(1.0, std::floor(ratio * n)));
  }
  return k;
}

double unkept_share(const OwnedTensor& tensor, double ratio) {
  const auto n = static_cast<double>(tensor.values.size());
  return 1 - std::max(1.0, std::floor(ratio * n)) / n;
}

double scaled_variance(const OwnedTensor& tensor, double ratio) {
  const auto n = static_cast<double>(tensor.values.size());
  return n / std::max(1.0, std::floor(ratio * n)) - 1;
}

CompressorClaims topk_claims(double ratio) {
  return {.error = [=](const auto& x) { return weighted(x, unkept_share, ratio); },
          .payload_bytes = [=](const Shapes& shapes) { return 8 * kept(shapes, ratio); },
          .reference = [=](const Round&,
                           const auto& workers) { return reference_topk(workers, ratio); }};
}

CompressorClaims topk_of_model_claims(double ratio) {
  const auto kept_of_all = [=](double d) {
    return d == 0 ? 0 : std::max(1.0, std::floor(ratio * d));
  };
  return {.error =
              [=](const auto& x) {
                const auto d = static_cast<double>(flat(x).size());
                return 1 - kept_of_all(d) / d;
              },
          .whole_model = true,
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

}  // namespace

std::vector<ClaimedSpec> sparse_claims() {
  return {{"topk:ratio=0.01", topk_claims(0.01)},
          {"topk:ratio=0.25", topk_claims(0.25)},
          {"topk:ratio=0.1,scope=model", topk_of_model_claims(0.1)},
          {"randomk:ratio=0.01", randomk_claims(0.01, false)},
          {"randomk:ratio=0.3", randomk_claims(0.3, false)},
          {"randomk:ratio=0.3,scaled", randomk_claims(0.3, true)}};
}

}  // namespace terse
