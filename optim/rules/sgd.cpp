// Stochastic gradient descent with momentum, as PyTorch defines it:
//
//   g = gradient + weight_decay · x
//   m = momentum · m + (1 - dampening) · g          (first step: m = g)
//   x = x - lr · m                                   (nesterov: lr · (g + momentum · m))
//
// One pass over the buffer; memory: one float a parameter if momentum > 0.
#include "optim/rules/sgd.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/parallel.hpp"

namespace terse {
namespace {

struct SgdOptions {
  float momentum, dampening, weight_decay;
  bool nesterov;
};

class Sgd final : public UpdateRule {
 public:
  explicit Sgd(const SgdOptions& options) : o_(options) {}

  std::string spec() const override {
    return fmt::format("sgd:momentum={},dampening={},nesterov={},weight_decay={}", o_.momentum,
                       o_.dampening, o_.nesterov, o_.weight_decay);
  }

  void apply(std::span<float> values, std::span<const float> gradient, float lr) override {
    internal_check(values.size() == gradient.size(), "sgd: {} values and {} gradients",
                   values.size(), gradient.size());
    if (o_.momentum == 0) {
      plain(values, gradient, lr);
      return;
    }
    const bool first = momentum_.empty();
    if (first) momentum_.resize(values.size());
    internal_check(momentum_.size() == values.size(), "sgd: {} values; the state has {}",
                   values.size(), momentum_.size());
    parallel_for(static_cast<std::int64_t>(values.size()), kGrain,
                 [&](std::int64_t begin, std::int64_t end) {
                   float* x = values.data();
                   const float* dx = gradient.data();
                   float* m = momentum_.data();
                   const float keep = first ? 0.0F : o_.momentum;
                   const float take = first ? 1.0F : 1.0F - o_.dampening;
                   // The step is lr · (own · g + past · m).
                   const float own = o_.nesterov ? 1.0F : 0.0F;
                   const float past = o_.nesterov ? o_.momentum : 1.0F;
                   for (std::int64_t i = begin; i < end; ++i) {
                     const float g = dx[i] + o_.weight_decay * x[i];
                     m[i] = keep * m[i] + take * g;
                     x[i] -= lr * (own * g + past * m[i]);
                   }
                 });
  }

  void serialize(Archive& archive) override { archive.item("sgd.momentum", momentum_); }

 private:
  static constexpr std::int64_t kGrain = 1 << 16;

  void plain(std::span<float> values, std::span<const float> gradient, float lr) const {
    parallel_for(static_cast<std::int64_t>(values.size()), kGrain,
                 [&](std::int64_t begin, std::int64_t end) {
                   float* x = values.data();
                   const float* dx = gradient.data();
                   for (std::int64_t i = begin; i < end; ++i) {
                     x[i] -= lr * (dx[i] + o_.weight_decay * x[i]);
                   }
                 });
  }

  SgdOptions o_;
  std::vector<float> momentum_;
};

}  // namespace

std::unique_ptr<UpdateRule> make_sgd(Options& options) {
  const SgdOptions o{.momentum = static_cast<float>(options.number("momentum", 0, 0, 1)),
                     .dampening = static_cast<float>(options.number("dampening", 0, 0, 1)),
                     .weight_decay = static_cast<float>(options.number("weight_decay", 0, 0, 1e6)),
                     .nesterov = options.flag("nesterov", false)};
  check<UsageError>(!o.nesterov || (o.momentum > 0 && o.dampening == 0),
                    "optimizer 'sgd': nesterov needs momentum above 0 and dampening 0; got {} and "
                    "{}",
                    o.momentum, o.dampening);
  return std::make_unique<Sgd>(o);
}

}  // namespace terse
