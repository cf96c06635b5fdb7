// LARS: momentum with a learning rate per tensor, proportional to the ratio of the norms of the
// tensor and of its gradient. For large batches.
//
//   for each tensor:
//     g = gradient + weight_decay · x
//     ratio = trust · |x|_2 / (|gradient|_2 + weight_decay · |x|_2)     (1 where either norm is 0)
//     m = momentum · m + lr · ratio · g                                 (m starts at 0)
//     x = x - m
//
// The rate is applied inside the momentum, so each gradient keeps the rate of the step in which it
// was computed. If `prepare` passed no tensors, all parameters are treated as one tensor.
//
// Cost: two passes; one float per parameter. Source: You, Gitman and Ginsburg, arXiv 1708.03888,
// algorithm 1; the ratio at zero norms as in common implementations.
#include <fmt/format.h>

#include <numeric>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/rules/rule.hpp"

namespace terse {
namespace {

struct LarsOptions {
  double trust, momentum;
  rule::WeightDecay weight_decay;
};

class Lars final : public UpdateRule {
 public:
  explicit Lars(const LarsOptions& options) : o_(options) {}

  std::string spec() const override {
    return fmt::format("lars:trust={},momentum={},{}", o_.trust, o_.momentum,
                       o_.weight_decay.text());
  }
  void prepare(const RuleSetup& setup) override {
    tensors_ = setup.tensors;
    o_.weight_decay.prepare(setup);
  }

  void update(std::span<float> values, const GradientReader& gradient, float lr) override {
    const auto n = std::ssize(values);
    m_.prepare(n);
    o_.weight_decay.expect(n);
    const double decay = o_.weight_decay.value();
    if (tensors_.empty()) return update_tensor(values.data(), m_.data(), gradient, lr, decay);
    const auto all = std::accumulate(tensors_.begin(), tensors_.end(), std::int64_t{0});
    check(all == n, "lars: expected {} values, the size of all tensors; got {}", all, n);
    std::int64_t first = 0;
    for (const auto size : tensors_) {
      o_.weight_decay.for_each_part(
          first, first + size, [&](std::int64_t, std::int64_t, float decays) {
            update_tensor(values.data() + first, m_.data() + first, gradient.part(first, size), lr,
                          static_cast<double>(decays) * decay);
          });
      first += size;
    }
  }

  void serialize(Archive& archive) override { m_.serialize(archive); }

 private:
  void update_tensor(float* values, float* momentum, const GradientReader& gradient, float lr,
                     double weight_decay) {
    const double length = rule::norm2({values, static_cast<std::size_t>(gradient.count)});
    const double slope = rule::norm2(gradient);
    const double ratio =
        length > 0 && slope > 0 ? o_.trust * length / (slope + weight_decay * length) : 1;
    const auto rate = static_cast<float>(lr * ratio);
    const auto m_factor = static_cast<float>(o_.momentum), decay = static_cast<float>(weight_decay);
    const auto step = [=](float& x, float g, float& m) {
      m = m_factor * m + rate * (g + decay * x);
      x -= m;
    };
    vectorized_for(gradient.count, rule::kGrain, [&](std::int64_t begin, std::int64_t end) {
      rule::run_piece(begin, end, gradient, step, values, momentum);
    });
  }

  LarsOptions o_;
  std::vector<std::int64_t> tensors_;  // sizes; empty: all parameters are one tensor
  StateArray m_{"lars.momentum"};
};

}  // namespace

std::unique_ptr<UpdateRule> make_lars(Options& options, std::unique_ptr<UpdateRule>) {
  return std::make_unique<Lars>(LarsOptions{.trust = options.number("trust", 0.001, 0, 1e6),
                                            .momentum = options.number("momentum", 0.9, 0, 1),
                                            .weight_decay = rule::WeightDecay::read(options)});
}

}  // namespace terse
