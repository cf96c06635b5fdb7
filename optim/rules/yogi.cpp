// Yogi: Adam with an additive update of the second moment, whose size depends on g² but not on the
// distance between v and g².
//
//   g = gradient + weight_decay · x
//   m = beta1 · m + (1 - beta1) · g
//   v = v - (1 - beta2) · sign(v - g²) · g²         (v starts at initial_accumulator, m at 0)
//   x = x - lr · m' / (sqrt(v') + eps),  m' = m / (1 - beta1^t),  v' = v / (1 - beta2^t)
//
// After large gradients, Adam's v decays fast and its steps grow fast; Yogi's v decays slowly. The
// bias corrections are Adam's, as in common implementations; the paper has none.
//
// Cost: one pass; two floats per parameter. Source: Zaheer et al., "Adaptive methods for nonconvex
// optimization", NeurIPS 2018.
#include <fmt/format.h>

#include <cmath>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

struct YogiOptions {
  double beta1, beta2, eps, initial_accumulator;
  rule::WeightDecay weight_decay;
};

class Yogi final : public UpdateRule {
 public:
  explicit Yogi(const YogiOptions& options)
      : o_(options), v_("yogi.v", static_cast<float>(options.initial_accumulator)) {}

  std::string spec() const override {
    return fmt::format("yogi:beta1={},beta2={},eps={},{},initial_accumulator={}", o_.beta1,
                       o_.beta2, o_.eps, o_.weight_decay.text(), o_.initial_accumulator);
  }

  void prepare(const RuleSetup& setup) override { o_.weight_decay.prepare(setup); }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const auto t = static_cast<double>(++steps_);
    const auto weight_decay = static_cast<float>(o_.weight_decay.value()),
               eps = static_cast<float>(o_.eps);
    const auto beta1 = static_cast<float>(o_.beta1),
               one_minus_beta1 = static_cast<float>(1 - o_.beta1);
    const auto pace = static_cast<float>(1 - o_.beta2);
    const auto rate = static_cast<float>(lr / (1 - std::pow(o_.beta1, t)));
    const auto correction = static_cast<float>(1 / std::sqrt(1 - std::pow(o_.beta2, t)));
    rule::for_each_parameter(
        values, gradient, std::tie(m_, v_), o_.weight_decay, [=](float decays) {
          return [=, decay = decays * weight_decay](float& x, float g, float& m, float& v) {
            g += decay * x;
            const float square = g * g;
            m = beta1 * m + one_minus_beta1 * g;
            v -= pace * rule::sign(v - square) * square;
            x -= rate * m / (correction * std::sqrt(v) + eps);
          };
        });
  }

  void serialize(Archive& archive) override {
    archive.item("yogi.steps", steps_);
    m_.serialize(archive);
    v_.serialize(archive);
  }

 private:
  YogiOptions o_;
  std::uint64_t steps_ = 0;
  StateArray m_{"yogi.m"}, v_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_yogi(Options& options, std::unique_ptr<UpdateRule>) {
  const YogiOptions o{.beta1 = options.number("beta1", 0.9, 0, 1),
                      .beta2 = options.number("beta2", 0.999, 0, 1),
                      .eps = options.number("eps", 1e-3, 0, 1),
                      .initial_accumulator = options.number("initial_accumulator", 1e-6, 0, 1e6),
                      .weight_decay = rule::WeightDecay::read(options)};
  check<UsageError>(o.beta1 < 1 && o.beta2 < 1,
                    "optimizer 'yogi': beta1 and beta2 must be below 1; got {} and {}", o.beta1,
                    o.beta2);
  return std::make_unique<Yogi>(o);
}

}  // namespace terse
