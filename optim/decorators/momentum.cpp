// Momentum before compression.
//
//   state:   v of every tensor, v = 0
//   worker:  v = beta v + (1 - beta) g      form=sum: v = beta v + g; init=first: v = g at first
//            encode v in place of g         nesterov: encode beta v + (1 - beta) g of the new v
//            mask: v_i = 0 wherever the reconstruction of the packet is not 0
//
// In the first `warmup` steps v is updated but g itself is encoded: Signum's theorem lets v
// accumulate for C(beta) steps first. mask is Deep Gradient Compression's momentum factor masking:
// a coordinate that was sent does not continue in its old direction.
//
// Cost: 4 d bytes of state, one pass; mask decodes the worker's own packet. The packet does not
// grow.
// Source: Signum, Bernstein et al., arXiv 1802.04434, algorithm 2, and its warm-up (its constant as
// remembered from the proof). init=first is what the PowerSGD authors' Signum does (arXiv
// 1905.13727, appendix). Masking: Lin et al., arXiv 1712.01887.
#include "tersegrad/optim/decorators/momentum.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/power.hpp"
#include "tersegrad/optim/kernels/vector.hpp"
#include "tersegrad/optim/tensor_state.hpp"

namespace terse {
namespace {

class Momentum final : public Decorator {
 public:
  Momentum(const MomentumOptions& options, std::unique_ptr<Compressor> inner, std::string spec)
      : Decorator(std::move(inner)),
        o_(options),
        v_factor_(static_cast<float>(o_.beta)),
        g_factor_(static_cast<float>(o_.form == "sum" ? 1 : 1 - o_.beta)),
        spec_(std::move(spec)) {}

  std::string spec() const override { return spec_; }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    if (round.phase == 0) {
      for (const auto& grad : grads) accumulate(grad);
    }
    if (round.step < o_.warmup_steps) return inner_->encode(round, grads, up);
    if (o_.nesterov) {
      inner_->encode(round, looked_ahead(grads), up);
    } else {
      inner_->encode(round, velocity_.views(grads), up);
    }
    if (o_.mask && last_phase(round)) mask_sent(round, grads, up);
  }

  void serialize(Archive& archive) override {
    velocity_.serialize(archive, "momentum.velocity");
    inner_->serialize(archive);
  }

 private:
  void accumulate(const GradView& grad) {
    const bool first = !velocity_.has(grad.id);
    const auto v = velocity_.at(grad.id, std::ssize(grad.data));
    if (first && o_.init == "first") {
      kernels::copy_to(grad.data, v);
    } else {
      kernels::blend_to(grad.data, v_factor_, g_factor_, v);
    }
  }

  std::span<const GradView> looked_ahead(std::span<const GradView> grads) {
    const auto next = copy_.like(grads);
    const auto now = velocity_.views(grads);
    for (std::size_t t = 0; t < grads.size(); ++t) {
      kernels::copy_to(now[t].data, next[t].data);
      kernels::blend_to(grads[t].data, v_factor_, g_factor_, next[t].data);
    }
    return next;
  }

  void mask_sent(const Round& round, std::span<const GradView> grads, const Packet& up) {
    const auto reconstruction = copy_.like(grads);
    inner_->reconstruct(round, up, reconstruction);
    const auto v = velocity_.views(grads);
    for (std::size_t t = 0; t < v.size(); ++t) {
      vectorized_for(std::ssize(v[t].data), kernels::kGrain,
                     [from = reconstruction[t].data.data(), to = v[t].data.data()](
                         std::int64_t begin, std::int64_t end) {
                       for (auto i = begin; i < end; ++i) to[i] = from[i] != 0 ? 0 : to[i];
                     });
    }
  }

  MomentumOptions o_;
  float v_factor_, g_factor_;
  std::string spec_;
  TensorState velocity_;
  BucketCopy copy_;
};

}  // namespace

std::uint64_t signum_warmup_steps(double beta) {
  for (std::uint64_t c = 1;; ++c) {
    const auto steps = static_cast<double>(c), kept = kernels::power(beta, steps);
    if (steps / 2 * kept <= 1 / ((1 - beta * beta) * (steps + 1)) && beta * kept <= 1 / (steps + 1))
      return c;
  }
}

std::unique_ptr<Compressor> make_momentum(const MomentumOptions& options,
                                          std::unique_ptr<Compressor> inner, std::string spec) {
  return std::make_unique<Momentum>(options, std::move(inner), std::move(spec));
}

std::unique_ptr<Compressor> make_momentum(std::uint16_t, Options& options,
                                          std::unique_ptr<Compressor> inner) {
  constexpr std::array<std::string_view, 2> kForms{"ema", "sum"}, kInits{"zero", "first"};
  MomentumOptions o;
  o.beta = options.number("beta", o.beta, 0, 1);
  o.form = options.choice("form", o.form, kForms);
  o.init = options.choice("init", o.init, kInits);
  o.nesterov = options.flag("nesterov", false);
  o.mask = options.flag("mask", false);
  o.warmup_steps = static_cast<std::uint64_t>(
      options.integer("warmup", 0, 0, std::numeric_limits<std::int64_t>::max()));
  auto spec =
      fmt::format("{}+momentum:beta={},form={},init={},nesterov={},mask={},warmup={}",
                  inner->spec(), o.beta, o.form, o.init, o.nesterov, o.mask, o.warmup_steps);
  return make_momentum(o, std::move(inner), std::move(spec));
}

}  // namespace terse
