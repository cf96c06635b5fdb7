// Momentum before compression.
//
//   state:   v of every tensor, v = 0
//   worker:  v = beta v + (1 - beta) g      (init=first: v = g the first time)
//            encode v in place of g
//
// Cost: 4 d bytes of state, one pass. Nothing is added to the packet.
// Source: Signum, Bernstein et al., arXiv 1802.04434, algorithm 2 (init=ema); the first gradient as
// the start is what the PowerSGD authors' Signum does (arXiv 1905.13727, appendix).
#include "optim/decorators/momentum.hpp"

#include <fmt/format.h>

#include <array>

#include "optim/decorators/decorator.hpp"
#include "optim/kernels/vector.hpp"
#include "optim/tensor_state.hpp"

namespace terse {
namespace {

class Momentum final : public Decorator {
 public:
  Momentum(const MomentumOptions& options, std::unique_ptr<Compressor> inner, std::string spec)
      : Decorator(std::move(inner)), options_(options), spec_(std::move(spec)) {}

  std::string spec() const override { return spec_; }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    if (round.phase == 0) {
      for (const auto& grad : grads) accumulate(grad);
    }
    inner_->encode(round, velocity_.views(grads), up);
  }

  void serialize(Archive& archive) override {
    velocity_.serialize(archive, "momentum.velocity");
    inner_->serialize(archive);
  }

 private:
  void accumulate(const GradView& grad) {
    const bool first = !velocity_.has(grad.id);
    const auto v = velocity_.at(grad.id, std::ssize(grad.data));
    if (first && options_.init == "first") {
      codec::copy_to(grad.data, v);
    } else {
      codec::blend_to(grad.data, static_cast<float>(options_.beta),
                      static_cast<float>(1 - options_.beta), v);
    }
  }

  MomentumOptions options_;
  std::string spec_;
  TensorState velocity_;
};

}  // namespace

std::unique_ptr<Compressor> make_momentum(const MomentumOptions& options,
                                          std::unique_ptr<Compressor> inner, std::string spec) {
  return std::make_unique<Momentum>(options, std::move(inner), std::move(spec));
}

std::unique_ptr<Compressor> make_momentum(std::uint16_t, Options& options,
                                          std::unique_ptr<Compressor> inner) {
  constexpr std::array<std::string_view, 2> kInits{"ema", "first"};
  MomentumOptions momentum;
  momentum.beta = options.number("beta", momentum.beta, 0, 1);
  momentum.init = options.choice("init", momentum.init, kInits);
  auto spec =
      fmt::format("{}+momentum:beta={},init={}", inner->spec(), momentum.beta, momentum.init);
  return make_momentum(momentum, std::move(inner), std::move(spec));
}

}  // namespace terse
