// Clipping of the gradient that the rule reads: the decoded mean gradient of all workers.
// (decorators/clip.cpp clips the gradient of each worker before it is encoded.)
//
//   norm=c:   s = min(1, c / (|g|_2 + 1e-6)),  s g in place of g       |g|_2 over all parameters
//   value=c:  min(max(g, -c), c) in place of g
//
// If |g|_2 is infinite or NaN, the gradient is not changed: the policy of the distributed optimizer
// decides how infinite and NaN values are handled, and scaling would turn infinities into NaN.
//
// Cost: norm: one pass that only reads; value: no pass, because rules clamp values as they read
// them. No memory. Source: Pascanu et al., arXiv 1211.5063; clip_grad_norm_ and clip_grad_value_ of
// torch.nn.utils.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

enum class Bound { norm, value };

class ClippedRule final : public UpdateRule {
 public:
  ClippedRule(Bound bound, double limit, std::unique_ptr<UpdateRule> inner)
      : bound_(bound), limit_(limit), inner_(std::move(inner)) {}

  std::string spec() const override {
    return fmt::format("{}+clip:{}={}", inner_->spec(), bound_ == Bound::norm ? "norm" : "value",
                       limit_);
  }

  void prepare(const RuleSetup& setup) override { inner_->prepare(setup); }
  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    inner_->update(values, clipped(gradient), lr);
  }

  void serialize(Archive& archive) override { inner_->serialize(archive); }

 private:
  GradientReader clipped(GradientReader g) const {
    if (bound_ == Bound::value) {
      g.limit = std::min(g.limit, static_cast<float>(limit_));
      return g;
    }
    const double norm = rule::norm2(g);
    if (!std::isfinite(norm)) return g;
    const auto scale = static_cast<float>(std::min(1.0, limit_ / (norm + 1e-6)));
    // Values that an outer stage has clamped are scaled too, so the clamp limit shrinks with them.
    g.scale *= scale;
    g.limit *= scale;
    return g;
  }

  Bound bound_;
  double limit_;
  std::unique_ptr<UpdateRule> inner_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_clipped_rule(Options& options, std::unique_ptr<UpdateRule> inner) {
  constexpr double kMost = std::numeric_limits<float>::max();
  const double norm = options.number("norm", 1, 0, kMost);
  const double value = options.number("value", 1, 0, kMost);
  check<UsageError>(
      !options.has("norm") || !options.has("value"),
      "optimizer 'clip': expected norm= or value= in one stage; got norm={} and value={}", norm,
      value);
  const bool by_value = options.has("value");
  return std::make_unique<ClippedRule>(by_value ? Bound::value : Bound::norm,
                                       by_value ? value : norm, std::move(inner));
}

}  // namespace terse
