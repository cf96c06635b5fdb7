// RMSprop: divides the gradient by the root of the running mean of its square.
//
//   g = gradient + weight_decay · x
//   v = alpha · v + (1 - alpha) · g²
//   d = g / (sqrt(v) + eps)       (centered: v - u² in place of v, u = alpha · u + (1 - alpha) · g)
//   x = x - lr · d                (momentum: m = momentum · m + d;  x = x - lr · m)
//
// v - u² estimates a variance and is clamped at 0, because rounding can make it negative.
//
// Cost: one pass; one float per parameter, one more if centered, and one more if momentum > 0.
// Source: Hinton's lecture 6e of 2012; centered: Graves, arXiv 1308.0850; eps outside the root as
// in torch.optim.RMSprop.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

struct RmspropOptions {
  double alpha, eps, momentum;
  bool centered;
  rule::WeightDecay weight_decay;
};

class Rmsprop final : public UpdateRule {
 public:
  explicit Rmsprop(const RmspropOptions& options) : o_(options) {}

  std::string spec() const override {
    return fmt::format("rmsprop:alpha={},eps={},{},momentum={},centered={}", o_.alpha, o_.eps,
                       o_.weight_decay.text(), o_.momentum, o_.centered);
  }

  void prepare(const RuleSetup& setup) override { o_.weight_decay.prepare(setup); }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const auto weight_decay = static_cast<float>(o_.weight_decay.value()),
               eps = static_cast<float>(o_.eps);
    const auto alpha = static_cast<float>(o_.alpha),
               one_minus_alpha = static_cast<float>(1 - o_.alpha);
    if (o_.centered) {
      step(values, gradient, lr, std::tie(v_, u_), [=](float decays) {
        return [=, decay = decays * weight_decay](float x, float g, float& v, float& u) {
          g += decay * x;
          v = alpha * v + one_minus_alpha * (g * g);
          u = alpha * u + one_minus_alpha * g;
          return g / (std::sqrt(std::max(v - u * u, 0.0F)) + eps);
        };
      });
    } else {
      step(values, gradient, lr, std::tie(v_), [=](float decays) {
        return [=, decay = decays * weight_decay](float x, float g, float& v) {
          g += decay * x;
          v = alpha * v + one_minus_alpha * (g * g);
          return g / (std::sqrt(v) + eps);
        };
      });
    }
  }

  void serialize(Archive& archive) override {
    v_.serialize(archive);
    u_.serialize(archive);
    m_.serialize(archive);
  }

 private:
  // make_direction(decays) returns a function that updates the state and returns d.
  template <class State, class MakeDirection>
  void step(std::span<float> values, const GradientReader& gradient, float lr, State state,
            MakeDirection make_direction) {
    if (o_.momentum == 0) {
      rule::for_each_parameter(values, gradient, state, o_.weight_decay, [=](float decays) {
        return [=, direction = make_direction(decays)](float& x, float g, auto&... s) {
          x -= lr * direction(x, g, s...);
        };
      });
      return;
    }
    const auto momentum = static_cast<float>(o_.momentum);
    rule::for_each_parameter(
        values, gradient, std::tuple_cat(std::tie(m_), state), o_.weight_decay, [=](float decays) {
          return [=, direction = make_direction(decays)](float& x, float g, float& m, auto&... s) {
            m = momentum * m + direction(x, g, s...);
            x -= lr * m;
          };
        });
  }

  RmspropOptions o_;
  StateArray v_{"rmsprop.v"}, u_{"rmsprop.u"}, m_{"rmsprop.m"};
};

}  // namespace

std::unique_ptr<UpdateRule> make_rmsprop(Options& options, std::unique_ptr<UpdateRule>) {
  return std::make_unique<Rmsprop>(
      RmspropOptions{.alpha = options.number("alpha", 0.99, 0, 1),
                     .eps = options.number("eps", 1e-8, 0, 1),
                     .momentum = options.number("momentum", 0, 0, 1),
                     .centered = options.flag("centered", false),
                     .weight_decay = rule::WeightDecay::read(options)});
}

}  // namespace terse
