// Error feedback: the error of a packet is added to the next gradient.
//
//   state:   residual e of every tensor, e = 0
//   worker:  e = keep e + g
//            encode e in place of g
//            target=local:     e = e - C(e)          the reconstruction of the worker's own packet
//            target=averaged:  e = e - mean          the reconstruction of all packets
//
// keep is 1 for lr=outside, the default: e has the unit of the gradient. For lr=inside keep is the
// learning rate of the previous step divided by that of this step (1 if either is 0), as if e had
// the unit of the parameters: what was left out at an old rate is applied at the old rate. The two
// are the same while the rate is constant.
//
// Let x be the parameters and y = x - lr (mean of all e). For a constant lr and any compressor, y
// moves by exactly -lr (mean gradient) in each step, as under plain SGD, except that the gradient
// is taken at x. Both targets give the same mean residual if the compressor is linear.
// target=averaged adds to each worker's residual a part that sums to zero over the workers and
// grows like a random walk: prefer local.
//
// C must be a contraction for tensors of every size, not scale-free, and keep no residual itself:
// otherwise e grows, or is not what was left out. The factory refuses any other C unless `unsafe` is
// given.
//
// If the compressor has several phases, g is added in the first phase and the reconstruction is
// subtracted in the last.
//
// Cost: 4 d bytes of state. A compressor with a fused version (`encode_with_residual`) needs no
// more passes; the others need one to add g, one to subtract C(e), those of `reconstruct`, and 4 d
// bytes of scratch. The packet does not grow.
// Source: EF-SGD of Karimireddy et al., arXiv 1901.09847; the residual in units of the gradient as
// in Vogels et al., arXiv 1905.13727, algorithm 2.
#include <fmt/format.h>

#include <array>

#include "tersegrad/optim/conservation.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

enum class Target { local, averaged };
enum class Rate { outside, inside };

class ErrorFeedback final : public Decorator, public ConservingStage {
 public:
  ErrorFeedback(Target target, Rate rate, bool unsafe, std::unique_ptr<Compressor> inner)
      : Decorator(std::move(inner)), target_(target), rate_(rate), unsafe_(unsafe) {}

  std::string spec() const override {
    return around(
        fmt::format("ef:target={},lr={}{}", target_ == Target::local ? "local" : "averaged",
                    rate_ == Rate::inside ? "inside" : "outside", unsafe_ ? ",unsafe=true" : ""));
  }

  // target=averaged subtracts the mean of all packets, so one packet is not enough.
  Traits traits(std::uint64_t step) const override {
    auto traits = inner_->traits(step);
    if (target_ == Target::averaged) traits.self_contained = false;
    traits.keeps_residual = true;
    return traits;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto e = residual_.views(grads);
    const float keep = round.phase == 0 ? keep_of(round) : 1;
    if (target_ == Target::local && inner_->encode_with_residual(round, grads, keep, e, up)) return;
    if (round.phase == 0) {
      for (std::size_t t = 0; t < e.size(); ++t)
        kernels::blend_to(grads[t].data, keep, 1, e[t].data);
    }
    inner_->encode(round, e, up);
    if (target_ == Target::local && last_phase(round)) {
      const auto reconstruction = copy_.like(grads);
      inner_->reconstruct(round, up, reconstruction);
      subtract(reconstruction);
    }
  }

  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override {
    const auto& mean = inner_->decode(round, down, scratch);
    if (target_ == Target::local) return mean;
    materialize(mean, scratch);
    subtract(scratch);
    return written(round, scratch);
  }

  bool subtracts_mean() const override { return target_ == Target::averaged; }
  void add_up(const Round& round, std::span<const GradView> grads,
              std::span<const GradView> total) override {
    copy_kept(total);
    const float keep = keep_of(round);
    for (std::size_t t = 0; t < total.size(); ++t) {
      kernels::blend_to(grads[t].data, keep, 1, total[t].data);
    }
  }
  void copy_kept(std::span<const GradView> kept) override {
    inner_->settle(residual_.all());
    residual_.copy_to(kept);
  }

  void serialize(Archive& archive) override {
    inner_->settle(residual_.all());
    residual_.serialize(archive, "ef.residual");
    if (rate_ == Rate::inside) {
      archive.item("ef.step", step_);
      archive.item("ef.rates", std::span(rates_));
    }
    inner_->serialize(archive);
  }

 private:
  // keep, the same for all buckets of a step.
  float keep_of(const Round& round) {
    if (rate_ == Rate::outside) return 1;
    if (round.step != step_ || rates_[1] == 0) {  // a new step, or the first call
      step_ = round.step;
      rates_ = {rates_[1], round.lr};
    }
    const auto [last, now] = rates_;
    return last > 0 && now > 0 ? last / now : 1;
  }

  void subtract(std::span<const GradView> reconstruction) {
    for (const auto& view : reconstruction) {
      kernels::subtract_from(view.data, residual_.at(view.id, std::ssize(view.data)));
    }
  }

  Target target_;
  Rate rate_;
  bool unsafe_;
  std::uint64_t step_ = 0;            // the step of rates_[1]
  std::array<float, 2> rates_{0, 0};  // of the step before step_, and of step_; 0: no such step yet
  TensorState residual_;
  BucketCopy copy_;
};

}  // namespace

std::unique_ptr<Compressor> make_error_feedback(std::uint16_t, Options& options,
                                                std::unique_ptr<Compressor> inner) {
  constexpr std::array<std::string_view, 2> kTargets{"local", "averaged"};
  constexpr std::array<std::string_view, 2> kRates{"outside", "inside"};
  const auto target = options.choice("target", "local", kTargets);
  const auto rate = options.choice("lr", "outside", kRates);
  const bool unsafe = unsafe_or_contraction("ef", options, *inner);
  return std::make_unique<ErrorFeedback>(target == "local" ? Target::local : Target::averaged,
                                         rate == "inside" ? Rate::inside : Rate::outside, unsafe,
                                         std::move(inner));
}

}  // namespace terse
