// Adam and AdamW: steps of about lr in every coordinate, whatever the scale of the gradient.
//
//   adam:   g = gradient + weight_decay · x
//   adamw:  g = gradient,  x = (1 - lr · weight_decay) · x
//   m = beta1 · m + (1 - beta1) · g                 running mean of the gradient
//   v = beta2 · v + (1 - beta2) · g²                running mean of its square
//   x = x - lr · m' / (sqrt(v') + eps),  m' = m / (1 - beta1^t),  v' = v / (1 - beta2^t)
//
// The divisors correct the bias of m and v, which start at zero. t = 1, 2, … is the step. The
// divisors are computed in double.
// With amsgrad, v' uses the largest v so far in place of v. 1-bit Adam (decorators/onebit_adam.cpp)
// freezes v and its divisor in the step in which it starts to compress.
//
// Cost: one pass; two floats per parameter, three with amsgrad. Source: Kingma and Ba, arXiv
// 1412.6980; Loshchilov and Hutter, arXiv 1711.05101; Reddi et al., ICLR 2018 (amsgrad as in
// torch.optim: the maximum is taken before the bias correction).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

struct AdamOptions {
  double beta1, beta2, eps;
  rule::WeightDecay weight_decay;
  bool amsgrad;
};

enum class Decay { in_gradient, of_weights };  // Adam, AdamW

std::string_view name_of(Decay decay) {
  return decay == Decay::of_weights ? "adamw" : "adam";
}

class Adam final : public UpdateRule {
 public:
  Adam(Decay decay, const AdamOptions& options) : decay_(decay), o_(options) {}

  std::string spec() const override {
    return fmt::format("{}:beta1={},beta2={},eps={},{},amsgrad={}", name_of(decay_), o_.beta1,
                       o_.beta2, o_.eps, o_.weight_decay.text(), o_.amsgrad);
  }

  void prepare(const RuleSetup& setup) override { o_.weight_decay.prepare(setup); }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    ++steps_;
    const auto t = static_cast<double>(steps_);
    const bool frozen = frozen_at_ > 0;
    const double t2 = frozen ? static_cast<double>(frozen_at_) : t;  // steps accumulated in v
    const bool apart = decay_ == Decay::of_weights;
    const double weight_decay = o_.weight_decay.value();
    const auto inside = static_cast<float>(apart ? 0 : weight_decay);
    const auto shrink = static_cast<float>(apart ? 1 - lr * weight_decay : 1);
    const auto beta1 = static_cast<float>(o_.beta1),
               one_minus_beta1 = static_cast<float>(1 - o_.beta1);
    // Frozen: v keeps its value.
    const auto v_factor = static_cast<float>(frozen ? 1 : o_.beta2);
    const auto square_factor = static_cast<float>(frozen ? 0 : 1 - o_.beta2);
    const auto rate = static_cast<float>(lr / (1 - std::pow(o_.beta1, t)));
    const auto correction = static_cast<float>(1 / std::sqrt(1 - std::pow(o_.beta2, t2)));
    const auto eps = static_cast<float>(o_.eps);

    const auto moments = [=](float decays, float x, float g, float& m, float& v) {
      g += decays * inside * x;
      m = beta1 * m + one_minus_beta1 * g;
      v = v_factor * v + square_factor * (g * g);
    };
    const auto moved = [=](float decays, float x, float m, float v) {
      return (decays > 0 ? shrink : 1) * x - rate * m / (correction * std::sqrt(v) + eps);
    };
    if (o_.amsgrad) {
      rule::for_each_parameter(values, gradient, std::tie(m_, v_, largest_), o_.weight_decay,
                               [=](float decays) {
                                 return [=](float& x, float g, float& m, float& v, float& largest) {
                                   moments(decays, x, g, m, v);
                                   largest = std::max(v, largest);
                                   x = moved(decays, x, m, largest);
                                 };
                               });
    } else {
      rule::for_each_parameter(values, gradient, std::tie(m_, v_), o_.weight_decay,
                               [=](float decays) {
                                 return [=](float& x, float g, float& m, float& v) {
                                   moments(decays, x, g, m, v);
                                   x = moved(decays, x, m, v);
                                 };
                               });
    }
  }

  std::optional<Moments> moments() const override { return Moments{o_.beta1, o_.beta2}; }
  void freeze_variance() override {
    check(steps_ > 0, "{}: the variance cannot be frozen before the first step", name_of(decay_));
    if (frozen_at_ == 0) frozen_at_ = steps_;
  }

  void serialize(Archive& archive) override {
    archive.item("adam.steps", steps_);
    archive.item("adam.frozen_at", frozen_at_);
    m_.serialize(archive);
    v_.serialize(archive);
    largest_.serialize(archive);
  }

 private:
  Decay decay_;
  AdamOptions o_;
  std::uint64_t steps_ = 0;
  std::uint64_t frozen_at_ = 0;  // the number of steps after which v stayed constant; 0: it changes
  StateArray m_{"adam.m"}, v_{"adam.v"}, largest_{"adam.largest"};
};

std::unique_ptr<UpdateRule> make(Decay decay, double weight_decay, Options& options) {
  const AdamOptions o{.beta1 = options.number("beta1", 0.9, 0, 1),
                      .beta2 = options.number("beta2", 0.999, 0, 1),
                      .eps = options.number("eps", 1e-8, 0, 1),
                      .weight_decay = rule::WeightDecay::read(options, weight_decay),
                      .amsgrad = options.flag("amsgrad", false)};
  check<UsageError>(o.beta1 < 1 && o.beta2 < 1,
                    "optimizer '{}': beta1 and beta2 must be below 1; got {} and {}",
                    name_of(decay), o.beta1, o.beta2);
  return std::make_unique<Adam>(decay, o);
}

}  // namespace

std::unique_ptr<UpdateRule> make_adam(Options& options, std::unique_ptr<UpdateRule>) {
  return make(Decay::in_gradient, 0, options);
}

std::unique_ptr<UpdateRule> make_adamw(Options& options, std::unique_ptr<UpdateRule>) {
  return make(Decay::of_weights, 0.01, options);
}

}  // namespace terse
