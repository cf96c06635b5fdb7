// Adadelta: scales the gradient by the ratio of the running RMS of past steps to the running RMS of
// past gradients.
//
//   g = gradient + weight_decay · x
//   v = rho · v + (1 - rho) · g²
//   d = sqrt(u + eps) / sqrt(v + eps) · g
//   u = rho · u + (1 - rho) · d²
//   x = x - lr · d                                  (the paper has lr = 1)
//
// The defaults, rho = 0.9 and eps = 1e-6, are those of torch.optim. The paper's rho is 0.95.
//
// Cost: one pass; two floats per parameter. Source: Zeiler, arXiv 1212.5701.
#include <fmt/format.h>

#include <cmath>

#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

struct AdadeltaOptions {
  double rho, eps;
  rule::WeightDecay weight_decay;
};

class Adadelta final : public UpdateRule {
 public:
  explicit Adadelta(const AdadeltaOptions& options) : o_(options) {}

  std::string spec() const override {
    return fmt::format("adadelta:rho={},eps={},{}", o_.rho, o_.eps, o_.weight_decay.text());
  }

  void prepare(const RuleSetup& setup) override { o_.weight_decay.prepare(setup); }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const auto weight_decay = static_cast<float>(o_.weight_decay.value()),
               eps = static_cast<float>(o_.eps);
    const auto rho = static_cast<float>(o_.rho), one_minus_rho = static_cast<float>(1 - o_.rho);
    rule::for_each_parameter(
        values, gradient, std::tie(v_, u_), o_.weight_decay, [=](float decays) {
          return [=, decay = decays * weight_decay](float& x, float g, float& v, float& u) {
            g += decay * x;
            v = rho * v + one_minus_rho * (g * g);
            const float d = std::sqrt(u + eps) / std::sqrt(v + eps) * g;
            u = rho * u + one_minus_rho * (d * d);
            x -= lr * d;
          };
        });
  }

  void serialize(Archive& archive) override {
    v_.serialize(archive);
    u_.serialize(archive);
  }

 private:
  AdadeltaOptions o_;
  StateArray v_{"adadelta.v"}, u_{"adadelta.u"};
};

}  // namespace

std::unique_ptr<UpdateRule> make_adadelta(Options& options, std::unique_ptr<UpdateRule>) {
  return std::make_unique<Adadelta>(
      AdadeltaOptions{.rho = options.number("rho", 0.9, 0, 1),
                      .eps = options.number("eps", 1e-6, 0, 1),
                      .weight_decay = rule::WeightDecay::read(options)});
}

}  // namespace terse
