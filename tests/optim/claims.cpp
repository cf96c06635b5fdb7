#include "claims.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "core/random.hpp"
#include "references.hpp"

namespace terse {
namespace {

using Shapes = std::vector<MatrixShape>;

std::size_t coordinates(const Shapes& shapes) {
  std::size_t d = 0;
  for (const auto& shape : shapes) d += static_cast<std::size_t>(shape.rows * shape.cols);
  return d;
}

std::size_t plane_bytes(const Shapes& shapes) {
  return 4 * ((coordinates(shapes) + 31) / 32);
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

double squares(const std::vector<float>& x) {
  double sum = 0;
  for (const float v : x) sum += double{v} * v;
  return sum;
}

// 1 - delta of a compressor that works tensor by tensor, weighted by the tensors' energies.
double weighted(const OwnedGradients& x, double (*part)(const OwnedTensor&, double), double ratio) {
  double lost = 0, all = 0;
  for (const auto& tensor : x) {
    if (tensor.values.empty()) continue;
    lost += squares(tensor.values) * part(tensor, ratio);
    all += squares(tensor.values);
  }
  return lost / all;
}

double unkept_share(const OwnedTensor& tensor, double ratio) {
  const auto n = static_cast<double>(tensor.values.size());
  return 1 - std::max(1.0, std::floor(ratio * n)) / n;
}

double scaled_variance(const OwnedTensor& tensor, double ratio) {
  const auto n = static_cast<double>(tensor.values.size());
  return n / std::max(1.0, std::floor(ratio * n)) - 1;
}

double one_minus_density(const OwnedTensor& tensor, double) {
  double norm1 = 0;
  for (const float v : tensor.values) norm1 += std::abs(double{v});
  return 1 - norm1 * norm1 / (static_cast<double>(tensor.values.size()) * squares(tensor.values));
}

CompressorClaims none_claims() {
  return {.error = [](const auto&) { return 0.0; },
          .error_is_exact = true,
          .unbiased = true,
          .linear = true,
          .payload_bytes = [](const Shapes& shapes) { return 4 * coordinates(shapes); },
          .reference = [](const Round&, const auto& workers) { return mean_of(workers); }};
}

CompressorClaims vote_claims(const std::string& tie, const std::string& zero) {
  const std::size_t planes = zero == "zero" ? 2 : 1;
  return {.payload_bytes = [=](const Shapes& shapes) { return planes * plane_bytes(shapes); },
          .reference = [=](const Round& round,
                           const auto& workers) { return reference_vote(round, workers, tie); }};
}

CompressorClaims sign_claims() {
  return {
      .error = [](const auto& x) { return weighted(x, one_minus_density, 0); },
      .error_is_exact = true,
      .payload_bytes = [](const Shapes& shapes) { return 4 * shapes.size() + plane_bytes(shapes); },
      .reference = [](const Round&, const auto& workers) { return reference_sign(workers); }};
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

std::vector<ClaimedSpec> claimed_specs() {
  return {{"none", none_claims()},
          {"vote:beta=0.9", vote_claims("random", "plus")},
          {"vote", vote_claims("random", "plus")},
          {"vote:tie=plus", vote_claims("plus", "plus")},
          {"vote:tie=zero", vote_claims("zero", "plus")},
          {"vote:zero=zero", vote_claims("random", "zero")},
          {"vote:zero=zero,tie=zero", vote_claims("zero", "zero")},
          {"vote:zero=random,tie=plus", vote_claims("plus", "random")},
          {"sign", sign_claims()},
          {"topk:ratio=0.01", topk_claims(0.01)},
          {"topk:ratio=0.25", topk_claims(0.25)},
          {"topk:ratio=0.1,scope=model", topk_of_model_claims(0.1)},
          {"randomk:ratio=0.01", randomk_claims(0.01, false)},
          {"randomk:ratio=0.3", randomk_claims(0.3, false)},
          {"randomk:ratio=0.3,scaled", randomk_claims(0.3, true)},
          {"powersgd:rank=2", powersgd_claims(2)},
          {"powersgd:rank=4,warm=false", powersgd_claims(4)}};
}

}  // namespace terse
