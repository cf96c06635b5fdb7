// Rprop: steps along the sign of the gradient, with a step size per parameter that adapts to
// changes of the sign.
//
//   p = gradient · before                           (before: g of the previous step)
//   size = clamp(size · f, step_min, step_max),     f = eta_plus if p > 0, eta_minus if p < 0, or 1
//   g = 0 if p < 0, else gradient
//   x = x - size · sign(g);   before = g
//
// After a change of sign, the parameter does not move in that step, and its size does not change in
// the next one. variant=backtrack takes the previous step back then, as the paper does: with the
// size before this step's change, x = x + size · sign(before). The initial size is the lr of the
// first step. The lr of later steps is ignored, so schedules have no effect.
//
// Use it with full batches: with stochastic gradients, sign changes from noise shrink every size.
//
// Cost: one pass; two floats per parameter. Source: variant=backtrack: Riedmiller and Braun, ICNN
// 1993. The default, variant=minus, is iRprop- of Igel and Hüsken, 2000, as in torch.optim.Rprop.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

struct RpropOptions {
  bool backtrack;
  double eta_minus, eta_plus, step_min, step_max;
};

class Rprop final : public UpdateRule {
 public:
  explicit Rprop(const RpropOptions& options) : o_(options) {}

  std::string spec() const override {
    return fmt::format("rprop:variant={},eta_minus={},eta_plus={},step_min={},step_max={}",
                       o_.backtrack ? "backtrack" : "minus", o_.eta_minus, o_.eta_plus, o_.step_min,
                       o_.step_max);
  }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const auto minus = static_cast<float>(o_.eta_minus), plus = static_cast<float>(o_.eta_plus);
    const auto low = static_cast<float>(o_.step_min), high = static_cast<float>(o_.step_max);
    const float back = o_.backtrack ? 1 : 0;
    size_.set_initial(lr);
    rule::for_each_parameter(values, gradient, std::tie(before_, size_),
                             [=](float& x, float g, float& before, float& size) {
                               const float p = g * before;
                               if (p < 0) x += back * (before > 0 ? size : -size);
                               const float f = p > 0 ? plus : p < 0 ? minus : 1.0F;
                               size = std::min(std::max(f * size, low), high);
                               g = p < 0 ? 0.0F : g;
                               x -= g > 0 ? size : g < 0 ? -size : 0.0F;
                               before = g;
                             });
  }

  void serialize(Archive& archive) override {
    before_.serialize(archive);
    size_.serialize(archive);
  }

 private:
  RpropOptions o_;
  StateArray before_{"rprop.before"}, size_{"rprop.size"};
};

}  // namespace

std::unique_ptr<UpdateRule> make_rprop(Options& options, std::unique_ptr<UpdateRule>) {
  constexpr std::array<std::string_view, 2> kVariants{"minus", "backtrack"};
  const RpropOptions o{.backtrack = options.choice("variant", "minus", kVariants) == "backtrack",
                       .eta_minus = options.number("eta_minus", 0.5, 0, 1),
                       .eta_plus = options.number("eta_plus", 1.2, 1, 1e6),
                       .step_min = options.number("step_min", 1e-6, 0, 1e6),
                       .step_max = options.number("step_max", 50, 0, 1e6)};
  check<UsageError>(o.eta_minus > 0 && o.eta_minus < 1 && o.eta_plus > 1,
                    "optimizer 'rprop': expected 0 < eta_minus < 1 < eta_plus; got {} and {}",
                    o.eta_minus, o.eta_plus);
  check<UsageError>(o.step_min <= o.step_max,
                    "optimizer 'rprop': step_min may not exceed step_max; got {} and {}",
                    o.step_min, o.step_max);
  return std::make_unique<Rprop>(o);
}

}  // namespace terse
