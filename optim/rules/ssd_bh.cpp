// Sign descent with random signs: the sign of each parameter's step is +1 with the probability that
// the true gradient is positive, estimated from the momentum and its variance.
//
//   g = gradient + weight_decay · x                             (decay=inside)
//   m', r, s from g as in M-SVAG (msvag.cpp)
//   p_i = 1/2 + erf(m'_i / sqrt(2 r s_i)) / 2                   P(N(m'_i, r s_i) > 0)
//   c_i = +1 with probability p_i, else -1                      (if m'_i = 0 and s_i = 0: c_i = 0)
//   x = x - lr · c                                              (decay=inside)
//   x = x - lr · (c + weight_decay · x)                         (decay=outside)
//
// 2 p - 1 is the factor by which Balles and Hennig shorten the sign of a Gaussian gradient. Here it
// is the expected value of c, and a step carries one bit per parameter. At the first step the
// variance is taken as 0, so c is the sign of the gradient. (The method that the paper calls "SSD"
// draws nothing; it is `signsgd`.)
//
// Cost: two passes; two floats per parameter. Source: the factor of Balles and Hennig,
// arXiv 1705.07774, section 3; rounding the factor to a random sign is a reconstruction.
#include <fmt/format.h>

#include <cmath>

#include "tersegrad/optim/rules/coins.hpp"
#include "tersegrad/optim/rules/variance.hpp"

namespace terse {
namespace {

class SignByOdds final : public UpdateRule {
 public:
  SignByOdds(double beta, rule::Decay decay) : beta_(beta), decay_(std::move(decay)) {}

  std::string spec() const override {
    return fmt::format("ssd_bh:beta={},{}", beta_, decay_.text());
  }
  void prepare(const RuleSetup& setup) override {
    seed_ = setup.seed;
    decay_.weights.prepare(setup);
  }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const rule::Averages averages(beta_, ++steps_);
    const float inside = decay_.inside();
    rule::for_each_parameter(values, gradient, std::tie(m_, v_), decay_.weights, [=](float decays) {
      return [=, inside = decays * inside](float& x, float g, float& m, float& v) {
        averages.update(g + inside * x, m, v);
      };
    });
    const float *m = m_.data(), *v = v_.data();
    rule::step_by_coins(values, decay_, lr, seed_, steps_, [=](std::int64_t i) -> double {
      const float mean = averages.correction * m[i];
      // With zero variance the argument is infinite and p_i is 0 or 1; 0 / 0 is NaN: no step.
      return std::erf(mean / std::sqrt(2.0 * averages.variance(mean, v[i])));
    });
  }

  void serialize(Archive& archive) override {
    archive.item("ssd_bh.steps", steps_);
    m_.serialize(archive);
    v_.serialize(archive);
  }

 private:
  double beta_;
  rule::Decay decay_;
  std::uint64_t seed_ = 0, steps_ = 0;
  StateArray m_{"ssd_bh.m"}, v_{"ssd_bh.v"};
};

}  // namespace

std::unique_ptr<UpdateRule> make_ssd_bh(Options& options, std::unique_ptr<UpdateRule>) {
  const double beta = options.number("beta", 0.9, 0, 0.999999);
  return std::make_unique<SignByOdds>(beta, rule::Decay::read(options));
}

}  // namespace terse
