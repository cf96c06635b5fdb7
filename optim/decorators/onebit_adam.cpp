// 1-bit Adam: Adam's momentum is compressed once its variance is constant.
//
//   state:   m of every tensor, the same on every worker, m = 0 at first
//   step < steps, as `none`:
//     all:     mean = mean of all g_w;  m = beta m + (1 - beta) mean
//   afterwards:
//     worker:  m_w = beta m + (1 - beta) g_w;  encode m_w in place of g_w
//     all:     m' = mean of the reconstructions of all m_w
//              mean = (m' - beta m) / (1 - beta);  m = m'
//
// A coordinate whose gradient was zero in all of the first steps, and whose variance is therefore
// zero, does not move: its reconstruction is noise, which Adam would divide by zero.
//
// The mean is the gradient that changes the momentum to m', so the optimizer is Adam itself: use
// the rule adam:freeze=N with the same N and beta, which keeps its variance from step N on. The
// inner stage should have error feedback in both directions; bare, it is sign+doublesqueeze, as in
// the paper.
//
// Cost: 4 d bytes of state; the payload of `none` in the first steps.
// Source: Tang et al., arXiv 2102.02888, algorithm 1; the mask is in their published code.
#include <fmt/format.h>

#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

class OnebitAdam final : public Decorator {
 public:
  OnebitAdam(std::int64_t steps, double beta, std::unique_ptr<Compressor> inner)
      : Decorator(std::move(inner)),
        steps_(steps),
        beta_(beta),
        m_factor_(static_cast<float>(beta)),
        g_factor_(static_cast<float>(1 - beta)),
        none_(make_compressor("none")) {}

  std::string spec() const override {
    return around(fmt::format("onebit_adam:steps={},beta={}", steps_, beta_));
  }
  Traits traits(std::uint64_t step) const override {
    auto traits = at(step).traits(step);
    traits.whole_model = inner_->traits(step).whole_model;
    traits.self_contained = false;
    return traits;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    if (warming_up(round.step)) return none_->encode(round, grads, up);
    const auto momentum = copy_.like(grads);
    const auto m = momentum_.views(grads);
    for (std::size_t t = 0; t < grads.size(); ++t) {
      kernels::copy_to(m[t].data, momentum[t].data);
      kernels::blend_to(grads[t].data, m_factor_, g_factor_, momentum[t].data);
    }
    inner_->encode(round, momentum, up);
  }

  void combine(const Round& round, std::span<const GradView> shape, std::span<const Packet> up,
               std::span<const float> weights, Packet& down) override {
    at(round.step).combine(round, shape, up, weights, down);
  }

  void advance(const Round& round, const Packet& down, std::span<const GradView> shape) override {
    at(round.step).advance(round, down, shape);
  }
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override {
    materialize(at(round.step).decode(round, down, scratch), scratch);
    const auto m = momentum_.views(scratch);
    for (std::size_t t = 0; t < scratch.size(); ++t) {
      if (!warming_up(round.step)) as_gradient(m[t].data, scratch[t].data);
      kernels::blend_to(scratch[t].data, m_factor_, g_factor_, m[t].data);
    }
    return written(round, scratch);
  }

  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    at(round.step).reconstruct(round, own, out);
    if (warming_up(round.step)) return;
    for (const auto& view : out) {
      as_gradient(momentum_.existing(view.id, std::ssize(view.data)), view.data);
    }
  }

  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override {
    return at(round.step).fields(round, up, shape);
  }

  void serialize(Archive& archive) override {
    momentum_.serialize(archive, "onebit_adam.momentum");
    inner_->serialize(archive);
  }

 private:
  bool warming_up(std::uint64_t step) const { return step < static_cast<std::uint64_t>(steps_); }
  Compressor& at(std::uint64_t step) const { return warming_up(step) ? *none_ : *inner_; }

  // next = the gradient that changes the momentum from m to `next`.
  void as_gradient(std::span<const float> m, std::span<float> next) const {
    kernels::add_scaled_to(m, -m_factor_, next);
    kernels::divide_to(next, g_factor_, next);
    for (std::size_t i = 0; i < next.size() && steps_ > 0; ++i) {
      if (m[i] == 0) next[i] = 0;
    }
  }

  std::int64_t steps_;
  double beta_;
  float m_factor_, g_factor_;
  std::unique_ptr<Compressor> none_;
  TensorState momentum_;
  BucketCopy copy_;
};

}  // namespace

std::unique_ptr<Compressor> make_onebit_adam(std::uint16_t, Options& options,
                                             std::unique_ptr<Compressor> inner) {
  const auto steps = options.integer("steps", 100, 0, std::numeric_limits<std::int64_t>::max());
  const auto beta = options.number("beta", 0.9, 0, 1);
  check<UsageError>(beta < 1, "onebit_adam: beta must be below 1; got {}", beta);
  return std::make_unique<OnebitAdam>(steps, beta, std::move(inner));
}

}  // namespace terse
