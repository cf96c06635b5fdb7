// Normalised SGD with momentum: steps of length lr in the direction of the momentum.
//
//   g = gradient + weight_decay · x
//   m = beta · m + (1 - beta) · g                   (first step: m = g)
//   x = x - lr · m / |m|_2                          (if m = 0, x does not change)
//
// |m|_2 is the norm over all parameters of the model.
//
// Cost: three passes; one float per parameter. Source: Cutkosky and Mehta, arXiv 2002.03305; the
// initialisation of m is reconstructed.
#include <fmt/format.h>

#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

class NormalisedSgd final : public UpdateRule {
 public:
  NormalisedSgd(double beta, rule::WeightDecay weight_decay)
      : beta_(beta), weight_decay_(std::move(weight_decay)) {}

  std::string spec() const override {
    return fmt::format("nsgd:beta={},{}", beta_, weight_decay_.text());
  }

  void prepare(const RuleSetup& setup) override { weight_decay_.prepare(setup); }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const bool first = m_.empty();  // the first step sets m = g
    const auto m_factor = static_cast<float>(first ? 0 : beta_);
    const auto g_factor = static_cast<float>(first ? 1 : 1 - beta_);
    const auto weight_decay = static_cast<float>(weight_decay_.value());
    rule::for_each_parameter(values, gradient, std::tie(m_), weight_decay_, [=](float decays) {
      return [=, decay = decays * weight_decay](float& x, float g, float& m) {
        m = m_factor * m + g_factor * (g + decay * x);
      };
    });
    const std::span<const float> m(m_.data(), values.size());
    const double norm = rule::norm2(m);
    if (norm == 0) return;
    // Divide before multiplying by lr: lr / norm overflows if the norm is denormal.
    const GradientInMemory source(m);
    rule::for_each_parameter(
        values, {.source = &source, .count = std::ssize(m)}, std::tie(),
        [=](float& x, float mean) { x -= lr * static_cast<float>(mean / norm); });
  }

  void serialize(Archive& archive) override { m_.serialize(archive); }

 private:
  double beta_;
  rule::WeightDecay weight_decay_;
  StateArray m_{"nsgd.m"};
};

}  // namespace

std::unique_ptr<UpdateRule> make_nsgd(Options& options, std::unique_ptr<UpdateRule>) {
  const double beta = options.number("beta", 0.9, 0, 1);
  return std::make_unique<NormalisedSgd>(beta, rule::WeightDecay::read(options));
}

}  // namespace terse
