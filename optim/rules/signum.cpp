// Signum: signSGD applied to the momentum.
//
//   g = gradient + weight_decay · x                 (decay=inside)
//   v = beta · v + (1 - beta) · g                   (v starts at 0)
//   x = x - lr · sign(v)                            (decay=inside)
//   x = x - lr · (sign(v) + weight_decay · x)       (decay=outside)
//
// warmup: during the first C(beta) steps, v is updated as above but the step uses sign(g). C(beta)
// is the smallest C with
//
//   C/2 · beta^C <= 1 / ((1 - beta²) (C + 1))   and   beta^(C+1) <= 1 / (C + 1)
//
// which makes the weight of the initial value in v small: C(0.5) = 1, C(0.9) = 54, C(0.99) = 894.
//
// Cost: one pass; one float per parameter. Source: Bernstein et al., arXiv 1802.04434, algorithm 2
// and the theorem on Signum. The conditions on C are reconstructed.
#include <fmt/format.h>

#include <cmath>

#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

std::uint64_t warmup_steps(double beta) {
  for (std::uint64_t steps = 1;; ++steps) {
    const auto c = static_cast<double>(steps);
    const double left = std::pow(beta, c);
    if (c / 2 * left <= 1 / ((1 - beta * beta) * (c + 1)) && beta * left <= 1 / (c + 1)) {
      return steps;
    }
  }
}

class Signum final : public UpdateRule {
 public:
  Signum(double beta, bool warmup, rule::Decay decay)
      : beta_(beta),
        warmup_(warmup),
        raw_steps_(warmup ? warmup_steps(beta) : 0),
        decay_(std::move(decay)) {}

  std::string spec() const override {
    return fmt::format("signum:beta={},warmup={},{}", beta_, warmup_, decay_.text());
  }

  void prepare(const RuleSetup& setup) override { decay_.weights.prepare(setup); }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const float inside = decay_.inside(), outside = decay_.outside();
    const auto beta = static_cast<float>(beta_), one_minus_beta = static_cast<float>(1 - beta_);
    const bool raw = steps_++ < raw_steps_;
    rule::for_each_parameter(values, gradient, std::tie(v_), decay_.weights, [=](float decays) {
      return
          [=, inside = decays * inside, outside = decays * outside](float& x, float g, float& v) {
            g += inside * x;
            v = beta * v + one_minus_beta * g;
            x -= lr * (rule::sign(raw ? g : v) + outside * x);
          };
    });
  }

  void serialize(Archive& archive) override {
    archive.item("signum.steps", steps_);
    v_.serialize(archive);
  }

 private:
  double beta_;
  bool warmup_;
  std::uint64_t raw_steps_, steps_ = 0;
  rule::Decay decay_;
  StateArray v_{"signum.v"};
};

}  // namespace

std::unique_ptr<UpdateRule> make_signum(Options& options, std::unique_ptr<UpdateRule>) {
  const double beta = options.number("beta", 0.9, 0, 0.99999);
  const bool warmup = options.flag("warmup", false);
  return std::make_unique<Signum>(beta, warmup, rule::Decay::read(options));
}

}  // namespace terse
