// Adagrad: divides the gradient by the root of the sum of all its past squares, so that parameters
// of rare features take larger steps.
//
//   g = gradient + weight_decay · x
//   s = s + g²                                      (s starts at initial_accumulator)
//   x = x - lr / (1 + (t - 1) · lr_decay) · g / (sqrt(s) + eps)        at step t = 1, 2, …
//
// Cost: one pass; one float per parameter. Source: Duchi et al., JMLR 12 (2011), the diagonal case;
// lr_decay as in torch.optim.Adagrad.
#include <fmt/format.h>

#include <cmath>

#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

struct AdagradOptions {
  double lr_decay, eps, initial_accumulator;
  rule::WeightDecay weight_decay;
};

class Adagrad final : public UpdateRule {
 public:
  explicit Adagrad(const AdagradOptions& options)
      : o_(options), s_("adagrad.s", static_cast<float>(options.initial_accumulator)) {}

  std::string spec() const override {
    return fmt::format("adagrad:lr_decay={},{},eps={},initial_accumulator={}", o_.lr_decay,
                       o_.weight_decay.text(), o_.eps, o_.initial_accumulator);
  }

  void prepare(const RuleSetup& setup) override { o_.weight_decay.prepare(setup); }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const double done = static_cast<double>(steps_++);
    const auto rate = static_cast<float>(lr / (1 + done * o_.lr_decay));
    const auto weight_decay = static_cast<float>(o_.weight_decay.value()),
               eps = static_cast<float>(o_.eps);
    rule::for_each_parameter(values, gradient, std::tie(s_), o_.weight_decay, [=](float decays) {
      return [=, decay = decays * weight_decay](float& x, float g, float& s) {
        g += decay * x;
        s += g * g;
        x -= rate * g / (std::sqrt(s) + eps);
      };
    });
  }

  void serialize(Archive& archive) override {
    archive.item("adagrad.steps", steps_);
    s_.serialize(archive);
  }

 private:
  AdagradOptions o_;
  std::uint64_t steps_ = 0;
  StateArray s_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_adagrad(Options& options, std::unique_ptr<UpdateRule>) {
  return std::make_unique<Adagrad>(
      AdagradOptions{.lr_decay = options.number("lr_decay", 0, 0, 1e6),
                     .eps = options.number("eps", 1e-10, 0, 1),
                     .initial_accumulator = options.number("initial_accumulator", 0, 0, 1e6),
                     .weight_decay = rule::WeightDecay::read(options)});
}

}  // namespace terse
