// Stochastic sign descent with momentum: the sign of each parameter's step is drawn at random such
// that the expected step is along the momentum.
//
//   g = gradient + weight_decay · x                             (decay=inside)
//   m = beta · m + (1 - beta) · g                               (first step: m = g)
//   s_i = +1 with probability 1/2 + m_i / (2 |m|_2), else -1    (if m = 0, s = 0)
//   x = x - lr · s                                              (decay=inside)
//   x = x - lr · (s + weight_decay · x)                         (decay=outside)
//
// E[s] = m / |m|_2, so the expected step equals that of `nsgd`, while a step carries one bit per
// parameter. |m|_2 is the norm over all parameters of the model. This is SSDM on a single node.
//
// Cost: three passes; one float per parameter. Source: Safaryan and Richtárik, arXiv 1905.12938,
// algorithm 3; the initialisation of m is reconstructed.
#include <fmt/format.h>

#include "tersegrad/optim/rules/coins.hpp"

namespace terse {
namespace {

class StochasticSignDescent final : public UpdateRule {
 public:
  StochasticSignDescent(double beta, rule::Decay decay) : beta_(beta), decay_(std::move(decay)) {}

  std::string spec() const override { return fmt::format("ssd:beta={},{}", beta_, decay_.text()); }
  void prepare(const RuleSetup& setup) override {
    seed_ = setup.seed;
    decay_.weights.prepare(setup);
  }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const bool first = m_.empty();  // the first step sets m = g
    const auto m_factor = static_cast<float>(first ? 0 : beta_);
    const auto g_factor = static_cast<float>(first ? 1 : 1 - beta_);
    const float inside = decay_.inside();
    rule::for_each_parameter(values, gradient, std::tie(m_), decay_.weights, [=](float decays) {
      return [=, inside = decays * inside](float& x, float g, float& m) {
        m = m_factor * m + g_factor * (g + inside * x);
      };
    });
    const std::span<const float> m(m_.data(), values.size());
    const double norm = rule::norm2(m);
    rule::step_by_coins(values, decay_, lr, seed_, steps_++, [&](std::int64_t i) {
      return m[static_cast<std::size_t>(i)] / norm;  // 0 / 0 is NaN: no step
    });
  }

  void serialize(Archive& archive) override {
    archive.item("ssd.steps", steps_);
    m_.serialize(archive);
  }

 private:
  double beta_;
  rule::Decay decay_;
  std::uint64_t seed_ = 0, steps_ = 0;
  StateArray m_{"ssd.m"};
};

}  // namespace

std::unique_ptr<UpdateRule> make_ssd(Options& options, std::unique_ptr<UpdateRule>) {
  const double beta = options.number("beta", 0.9, 0, 1);
  return std::make_unique<StochasticSignDescent>(beta, rule::Decay::read(options));
}

}  // namespace terse
