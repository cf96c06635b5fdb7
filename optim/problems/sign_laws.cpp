#include "tersegrad/optim/problems/sign_laws.hpp"

#include <cmath>
#include <numbers>

namespace terse::problems {

double rho_bound(double snr) {
  return 0.5 + snr / (snr + std::numbers::sqrt3) / 2;
}

double gauss_bound(double snr) {
  return snr > 2 / std::numbers::sqrt3 ? 1 - 2 / (9 * snr * snr)
                                       : 0.5 + snr / (2 * std::numbers::sqrt3);
}

double vote_success(double rho, std::uint32_t nodes) {
  const std::uint32_t l = (nodes + 1) / 2, votes = 2 * l - 1;
  if (rho <= 0 || rho >= 1) return rho <= 0 ? 0 : 1;
  double sum = 0;
  for (std::uint32_t right = l; right <= votes; ++right) {
    const double n = votes, k = right;
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) +
                    k * std::log(rho) + (n - k) * std::log1p(-rho));
  }
  return sum;
}

double SignChances::rho_norm(In gradient) const {
  double sum = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    sum += (correct[i] - wrong[i]) * std::abs(gradient[i]);
  }
  return sum;
}

SignChances sign_chances(const Problem& problem, const Oracle& oracle, std::uint32_t nodes, In x,
                         std::uint64_t first, std::int64_t samples) {
  const std::size_t d = x.size();
  const auto sign = [](double a) { return a > 0 ? 1 : a < 0 ? -1 : 0; };
  SignChances chances{.correct = Vector(d), .wrong = Vector(d)};
  Vector gradient(d), one(d);
  problem.gradient(x, gradient);
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    std::vector<int> votes(d);
    for (std::uint32_t node = 0; node < nodes; ++node) {
      oracle(node, first + static_cast<std::uint64_t>(sample), x, one);
      for (std::size_t i = 0; i < d; ++i) votes[i] += sign(one[i]);
    }
    for (std::size_t i = 0; i < d; ++i) {
      const int agrees = sign(votes[i]) * sign(gradient[i]);
      if (agrees > 0) chances.correct[i] += 1 / static_cast<double>(samples);
      if (agrees < 0) chances.wrong[i] += 1 / static_cast<double>(samples);
    }
  }
  return chances;
}

}  // namespace terse::problems
