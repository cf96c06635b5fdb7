// M-SVAG: momentum SGD whose step is shortened in each parameter by the estimated variance of its
// gradient. It does not use signs.
//
//   g = gradient + weight_decay · x
//   m = beta · m + (1 - beta) · g,     m' = m / (1 - beta^t)
//   v = beta · v + (1 - beta) · g²,    v' = v / (1 - beta^t)
//   r = (1 - beta) (1 + beta^t) / ((1 + beta) (1 - beta^t))
//   s = (v' - m'²) / (1 - r)                            variance of the gradient
//   x = x - lr · m' · m'² / (m'² + r · s)               r · s: variance of m'
//
// At the first step r = 1, s is taken as 0, and the step is that of plain SGD. The factor
// m'² / (m'² + r · s) is 1 if its denominator is 0.
//
// Cost: one pass; two floats per parameter. Source: Balles and Hennig, arXiv 1705.07774,
// algorithm 2.
#include <fmt/format.h>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/rules/rule.hpp"
#include "tersegrad/optim/rules/variance.hpp"

namespace terse {
namespace {

class Msvag final : public UpdateRule {
 public:
  Msvag(double beta, rule::WeightDecay weight_decay)
      : beta_(beta), weight_decay_(std::move(weight_decay)) {}

  std::string spec() const override {
    return fmt::format("msvag:beta={},{}", beta_, weight_decay_.text());
  }

  void prepare(const RuleSetup& setup) override { weight_decay_.prepare(setup); }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const rule::Averages averages(beta_, ++steps_);
    const auto weight_decay = static_cast<float>(weight_decay_.value());
    rule::for_each_parameter(values, gradient, std::tie(m_, v_), weight_decay_, [=](float decays) {
      return [=, decay = decays * weight_decay](float& x, float g, float& m, float& v) {
        averages.update(g + decay * x, m, v);
        const float mean = averages.correction * m;
        const float square = mean * mean;
        const float all = square + averages.variance(mean, v);
        x -= lr * (all > 0 ? mean * (square / all) : mean);
      };
    });
  }

  void serialize(Archive& archive) override {
    archive.item("msvag.steps", steps_);
    m_.serialize(archive);
    v_.serialize(archive);
  }

 private:
  double beta_;
  rule::WeightDecay weight_decay_;
  std::uint64_t steps_ = 0;
  StateArray m_{"msvag.m"}, v_{"msvag.v"};
};

}  // namespace

std::unique_ptr<UpdateRule> make_msvag(Options& options, std::unique_ptr<UpdateRule>) {
  const double beta = options.number("beta", 0.9, 0, 0.999999);
  return std::make_unique<Msvag>(beta, rule::WeightDecay::read(options));
}

}  // namespace terse
