// Stochastic gradient descent with momentum, in two forms:
//
//   g = gradient + weight_decay · x
//   m = momentum · m + (1 - dampening) · g          (first step: m = g)
//   form=torch:     x = x - lr · m                  (nesterov: lr · (g + momentum · m))
//   form=powersgd:  x = x - lr · (g + m)
//
// form=powersgd differs from Nesterov's momentum, which multiplies m by the momentum. Its steps are
// longer for the same lr: with a constant gradient g they converge to
// (1 + 1 / (1 - momentum)) lr · g, those of form=torch to 1 / (1 - momentum) lr · g. Without
// momentum, m = g and a step is 2 lr · g.
//
// Cost: one pass; one float per parameter if momentum > 0. Source: form=torch as in
// torch.optim.SGD; form=powersgd is Algorithm 2 of Vogels et al., arXiv 1905.13727.
#include <fmt/format.h>

#include <array>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

constexpr std::array<std::string_view, 2> kForms = {"torch", "powersgd"};

struct SgdOptions {
  double momentum, dampening;
  rule::WeightDecay weight_decay;
  bool nesterov;
  std::string form;
};

class Sgd final : public UpdateRule {
 public:
  explicit Sgd(const SgdOptions& options) : o_(options) {}

  std::string spec() const override {
    return fmt::format("sgd:momentum={},dampening={},nesterov={},{},form={}", o_.momentum,
                       o_.dampening, o_.nesterov, o_.weight_decay.text(), o_.form);
  }

  void prepare(const RuleSetup& setup) override { o_.weight_decay.prepare(setup); }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const auto weight_decay = static_cast<float>(o_.weight_decay.value());
    // The step is lr · (m_factor · m + g_factor · g).
    const float g_factor = (o_.nesterov || o_.form == "powersgd") ? 1 : 0;
    const float m_factor = o_.nesterov ? static_cast<float>(o_.momentum) : 1;
    if (o_.momentum == 0) {  // m = g
      const float rate = lr * (g_factor + m_factor);
      // decays: 1 where weight decay applies, 0 elsewhere
      rule::for_each_parameter(values, gradient, std::tie(), o_.weight_decay, [=](float decays) {
        return
            [=, decay = decays * weight_decay](float& x, float g) { x -= rate * (g + decay * x); };
      });
      return;
    }
    const bool first = m_.empty();  // the first step sets m = g
    const float momentum = first ? 0 : static_cast<float>(o_.momentum);
    const float one_minus_dampening = first ? 1 : static_cast<float>(1 - o_.dampening);
    rule::for_each_parameter(values, gradient, std::tie(m_), o_.weight_decay, [=](float decays) {
      return [=, decay = decays * weight_decay](float& x, float g, float& m) {
        g += decay * x;
        m = momentum * m + one_minus_dampening * g;
        x -= lr * (m_factor * m + g_factor * g);
      };
    });
  }

  void serialize(Archive& archive) override { m_.serialize(archive); }

 private:
  SgdOptions o_;
  StateArray m_{"sgd.momentum"};
};

}  // namespace

std::unique_ptr<UpdateRule> make_sgd(Options& options, std::unique_ptr<UpdateRule>) {
  const SgdOptions o{.momentum = options.number("momentum", 0, 0, 1),
                     .dampening = options.number("dampening", 0, 0, 1),
                     .weight_decay = rule::WeightDecay::read(options),
                     .nesterov = options.flag("nesterov", false),
                     .form = options.choice("form", kForms[0], kForms)};
  check<UsageError>(!o.nesterov || (o.momentum > 0 && o.dampening == 0),
                    "optimizer 'sgd': nesterov needs momentum above 0 and dampening 0; got {} and "
                    "{}",
                    o.momentum, o.dampening);
  check<UsageError>(o.form == "torch" || (!o.nesterov && o.dampening == 0),
                    "optimizer 'sgd': form=powersgd has neither nesterov nor dampening; got {} and "
                    "{}",
                    o.nesterov, o.dampening);
  return std::make_unique<Sgd>(o);
}

}  // namespace terse
