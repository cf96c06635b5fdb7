// The sign family: naive code from the formulas, and what is claimed.
#include "claims.hpp"

#include <cmath>

namespace terse {
namespace {

OwnedGradients reference_vote(const Round& round, const Workers& workers, const std::string& tie) {
  auto result = zeros_like(workers[0]);
  const Philox coins(round.seed, {.purpose = Purpose::tie});
  std::uint64_t place = 0;
  for (std::size_t t = 0; t < result.size(); ++t) {
    for (std::size_t i = 0; i < result[t].values.size(); ++i, ++place) {
      int votes = 0;
      for (const auto& worker : workers) votes += worker[t].values[i] < 0 ? -1 : 1;
      const bool coin = (coins.at(place / 32) >> (place % 32) & 1U) != 0;
      int broken = 0;
      if (tie == "plus") broken = 1;
      if (tie == "random") broken = coin ? -1 : 1;
      const int winner = votes > 0 ? 1 : votes < 0 ? -1 : broken;
      result[t].values[i] = static_cast<float>(winner);
    }
  }
  return result;
}

OwnedGradients reference_sign(const Workers& workers) {
  auto result = zeros_like(workers[0]);
  for (std::size_t t = 0; t < result.size(); ++t) {
    std::vector<double> sum(result[t].values.size());
    for (const auto& worker : workers) {
      double scale = 0;
      for (const float v : worker[t].values) scale += std::abs(v);
      scale /= static_cast<double>(sum.size());
      for (std::size_t i = 0; i < sum.size(); ++i)
        sum[i] += worker[t].values[i] < 0 ? -scale : scale;
    }
    for (std::size_t i = 0; i < sum.size(); ++i) {
      result[t].values[i] = static_cast<float>(sum[i] / static_cast<double>(workers.size()));
    }
  }
  return result;
}

double one_minus_density(const OwnedTensor& tensor, double) {
  double norm1 = 0;
  for (const float v : tensor.values) norm1 += std::abs(double{v});
  return 1 - norm1 * norm1 / (static_cast<double>(tensor.values.size()) * squares(tensor.values));
}

CompressorClaims vote_claims(const std::string& tie, const std::string& zero) {
  const std::size_t planes = zero == "zero" ? 2 : 1;
  return {.payload_bytes = [=](const Shapes& shapes) { return planes * plane_bytes(shapes); },
          .reference = [=](const Round& round,
                           const auto& workers) { return reference_vote(round, workers, tie); }};
}

CompressorClaims scaled_sign_claims() {
  return {
      .error = [](const auto& x) { return weighted(x, one_minus_density, 0); },
      .error_is_exact = true,
      .payload_bytes = [](const Shapes& shapes) { return 4 * shapes.size() + plane_bytes(shapes); },
      .reference = [](const Round&, const auto& workers) { return reference_sign(workers); }};
}

}  // namespace

std::vector<ClaimedSpec> sign_claims() {
  return {{"vote:beta=0.9", vote_claims("random", "plus")},
          {"vote", vote_claims("random", "plus")},
          {"vote:tie=plus", vote_claims("plus", "plus")},
          {"vote:tie=zero", vote_claims("zero", "plus")},
          {"vote:zero=zero", vote_claims("random", "zero")},
          {"vote:zero=zero,tie=zero", vote_claims("zero", "zero")},
          {"vote:zero=random,tie=plus", vote_claims("plus", "random")},
          {"sign", scaled_sign_claims()}};
}

}  // namespace terse
