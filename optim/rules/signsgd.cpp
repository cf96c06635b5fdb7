// signSGD: every parameter moves by lr against the sign of its gradient.
//
//   decay=inside:    x = x - lr · sign(gradient + weight_decay · x)
//   decay=outside:   x = x - lr · (sign(gradient) + weight_decay · x)
//
// sign(0) = 0. A step has the same length in every coordinate, whatever the scale of the gradient,
// so lr is usually a hundredth of SGD's or less. (Workers that exchange signs use the compressor
// `vote`.)
//
// Cost: one pass; no state. Source: Bernstein et al., arXiv 1802.04434, algorithm 1; Safaryan and
// Richtárik, arXiv 1905.12938, algorithm 1, option 1.
#include <fmt/format.h>

#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

class SignSgd final : public UpdateRule {
 public:
  explicit SignSgd(rule::Decay decay) : decay_(std::move(decay)) {}

  std::string spec() const override { return fmt::format("signsgd:{}", decay_.text()); }

  void prepare(const RuleSetup& setup) override { decay_.weights.prepare(setup); }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const float inside = decay_.inside(), outside = decay_.outside();
    rule::for_each_parameter(values, gradient, std::tie(), decay_.weights, [=](float decays) {
      return [=, inside = decays * inside, outside = decays * outside](float& x, float g) {
        x -= lr * (rule::sign(g + inside * x) + outside * x);
      };
    });
  }

  void serialize(Archive&) override {}

 private:
  rule::Decay decay_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_signsgd(Options& options, std::unique_ptr<UpdateRule>) {
  return std::make_unique<SignSgd>(rule::Decay::read(options));
}

}  // namespace terse
