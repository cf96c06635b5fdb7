// DC-ASGD: a stale gradient is corrected to the present model by an approximation of the Hessian.
//
//   worker w pulls x_w and pushes g, its gradient at x_w
//   server:    g = g + lambda · g ⊙ g ⊙ (x - x_w);  x = x - rate · g
//   adaptive:  MS = 0.95 MS + 0.05 g ⊙ g;  lambda = lambda_0 / sqrt(MS + eps), by coordinate
//
// This is a first-order Taylor expansion of the gradient. g ⊙ g is the diagonal of the outer
// product g gᵀ, whose expectation is the Hessian of a cross-entropy at the optimum. x_w is the
// model that the worker pulled; workers that have pulled the same version share one copy.
//
// Cost: up to W d floats, and d more if adaptive; one pass over d. Source: Zheng et al.,
// "Asynchronous stochastic gradient descent with delay compensation", arXiv 1609.08326. Written
// from memory: lambda = 0.04 is the value of MXNet's optimizer; lambda_0 = 2 and 0.95 are not
// checked against the paper; eps is our choice.
#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "tersegrad/comm/async/server_rule.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse {
namespace {

constexpr std::int64_t kGrain = 1 << 16;

class DelayCompensation final : public Correction {
 public:
  explicit DelayCompensation(float lambda) : lambda_(lambda) {}
  bool compares() const override { return true; }

  void correct(std::span<float> gradient, std::span<const float> now,
               std::span<const float> read) override {
    auto* g = gradient.data();
    vectorized_for(std::ssize(gradient), kGrain,
                   [=, lambda = lambda_](std::int64_t begin, std::int64_t end) {
                     for (auto i = begin; i < end; ++i)
                       g[i] += lambda * g[i] * g[i] * (now[i] - read[i]);
                   });
  }

 private:
  float lambda_;
};

class AdaptiveDelayCompensation final : public Correction {
 public:
  AdaptiveDelayCompensation(float lambda, float decay, float eps)
      : lambda_(lambda), decay_(decay), eps_(eps) {}
  bool compares() const override { return true; }

  void correct(std::span<float> gradient, std::span<const float> now,
               std::span<const float> read) override {
    mean_square_.resize(gradient.size());
    auto *g = gradient.data(), *ms = mean_square_.data();
    vectorized_for(
        std::ssize(gradient), kGrain,
        [=, lambda = lambda_, decay = decay_, eps = eps_](std::int64_t begin, std::int64_t end) {
          for (auto i = begin; i < end; ++i) {
            ms[i] = decay * ms[i] + (1 - decay) * g[i] * g[i];
            g[i] += lambda / std::sqrt(ms[i] + eps) * g[i] * g[i] * (now[i] - read[i]);
          }
        });
  }
  void serialize(Archive& archive) override { archive.item("dc_asgd.mean_square", mean_square_); }

 private:
  float lambda_, decay_, eps_;
  std::vector<float> mean_square_;
};

}  // namespace

void make_dc_asgd(Options& options, int, ServerRule& rule) {
  const double lambda = options.number("lambda", 0.04, 0, 1e6);
  rule.correction = std::make_unique<DelayCompensation>(static_cast<float>(lambda));
  rule.spec += fmt::format("dc_asgd:lambda={}", lambda);
}

void make_dc_asgd_adaptive(Options& options, int, ServerRule& rule) {
  const double lambda = options.number("lambda", 2, 0, 1e6);
  const double decay = options.number("decay", 0.95, 0, 1);
  const double eps = options.number("eps", 1e-7, 1e-30, 1);
  rule.correction = std::make_unique<AdaptiveDelayCompensation>(
      static_cast<float>(lambda), static_cast<float>(decay), static_cast<float>(eps));
  rule.spec += fmt::format("dc_asgd_adaptive:lambda={},decay={},eps={}", lambda, decay, eps);
}

}  // namespace terse
