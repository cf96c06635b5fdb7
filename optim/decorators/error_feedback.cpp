// Error feedback: what a packet leaves out is added to the next gradient.
//
//   state:   residual e of every tensor, e = 0
//   worker:  e = e + g
//            encode e in place of g
//            target=local:     e = e - said          what this worker's own packet says
//            target=averaged:  e = e - mean          what all of them say together
//
// y = x - lr (mean of all e) then follows plain SGD exactly for constant lr, whatever the
// compressor. Both targets give the same mean residual when the compressor is linear; the averaged
// one adds to each worker's a part that sums to zero and grows like a random walk: prefer local.
// With several phases the first adds g and the last settles.
//
// Cost: 4 d bytes of state, two passes more. Nothing is added to the packet.
// Source: Karimireddy et al., arXiv 1901.09847, algorithm 2, with the residual in units of the
// gradient as in Vogels et al., arXiv 1905.13727, algorithm 2.
#include <array>

#include "optim/decorators/decorator.hpp"
#include "optim/kernels/vector.hpp"
#include "optim/tensor_state.hpp"

namespace terse {
namespace {

enum class Target { local, averaged };

class ErrorFeedback final : public Decorator {
 public:
  ErrorFeedback(Target target, std::unique_ptr<Compressor> inner)
      : Decorator(std::move(inner)), target_(target) {}

  std::string spec() const override {
    return around(target_ == Target::local ? "ef:target=local" : "ef:target=averaged");
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto e = residual_.views(grads);
    if (round.phase == 0) {
      for (std::size_t t = 0; t < e.size(); ++t) codec::add_to(grads[t].data, e[t].data);
    }
    inner_->encode(round, e, up);
    if (target_ == Target::local && last_phase(round) && !inner_->subtract_said(round, up, e)) {
      const auto said = copy_.like(grads);
      inner_->said(round, up, said);
      subtract(said);
    }
  }

  void decode(const Round& round, const Packet& down, std::span<const GradView> out) override {
    inner_->decode(round, down, out);
    if (target_ == Target::averaged && last_phase(round)) subtract(out);
  }

  void serialize(Archive& archive) override {
    residual_.serialize(archive, "ef.residual");
    inner_->serialize(archive);
  }

 private:
  void subtract(std::span<const GradView> reconstruction) {
    for (const auto& view : reconstruction) {
      codec::subtract_from(view.data, residual_.at(view.id, std::ssize(view.data)));
    }
  }

  Target target_;
  TensorState residual_;
  BucketCopy copy_;
};

}  // namespace

std::unique_ptr<Compressor> make_error_feedback(std::uint16_t, Options& options,
                                                std::unique_ptr<Compressor> inner) {
  constexpr std::array<std::string_view, 2> kTargets{"local", "averaged"};
  const auto target = options.choice("target", "local", kTargets);
  return std::make_unique<ErrorFeedback>(target == "local" ? Target::local : Target::averaged,
                                         std::move(inner));
}

}  // namespace terse
