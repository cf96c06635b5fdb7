// Warm-up: the first steps are not compressed.
//
//   step < steps:  exactly as `none`; the inner stage is not called
//   afterwards:    as the inner stage
//
// Cost: the payload of `none` in these steps.
// Source: common practice, e.g. Deep Gradient Compression (Lin et al., arXiv 1712.01887, section
// 3.3), which lowers its ratio in stages. PyTorch's PowerSGD hook starts uncompressed as here.
#include <fmt/format.h>

#include <limits>

#include "tersegrad/optim/decorators/decorator.hpp"

namespace terse {
namespace {

class Warmup final : public Decorator {
 public:
  Warmup(std::int64_t steps, std::unique_ptr<Compressor> inner)
      : Decorator(std::move(inner)), steps_(steps), none_(make_compressor("none")) {}

  std::string spec() const override { return around(fmt::format("warmup:steps={}", steps_)); }

  // whole_model is that of the inner stage, because the buckets must not change during a run.
  Traits traits(std::uint64_t step) const override {
    auto traits = at(step).traits(step);
    traits.whole_model = inner_->traits(step).whole_model;
    traits.scale_free = inner_->traits(step).scale_free;
    traits.keeps_residual = inner_->traits(step).keeps_residual;
    traits.rounds_sum = inner_->traits(step).rounds_sum;
    return traits;
  }
  bool is_contraction() const override { return inner_->is_contraction(); }
  std::optional<double> contraction(std::uint64_t step,
                                    std::span<const GradView> shape) const override {
    return at(step).contraction(step, shape);
  }
  std::optional<double> variance(std::uint64_t step,
                                 std::span<const GradView> shape) const override {
    const auto inner = inner_->variance(step, shape);
    return inner ? at(step).variance(step, shape) : std::nullopt;
  }
  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    at(round.step).encode(round, grads, up);
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
    return at(round.step).decode(round, down, scratch);
  }
  void reconstruct(const Round& round, const Packet& own,
                   std::span<const GradView> out) const override {
    at(round.step).reconstruct(round, own, out);
  }
  std::vector<Field> fields(const Round& round, const Packet& up,
                            std::span<const GradView> shape) const override {
    return at(round.step).fields(round, up, shape);
  }

 private:
  Compressor& at(std::uint64_t step) const {
    return step < static_cast<std::uint64_t>(steps_) ? *none_ : *inner_;
  }

  std::int64_t steps_;
  std::unique_ptr<Compressor> none_;
};

}  // namespace

std::unique_ptr<Compressor> make_warmup(std::uint16_t, Options& options,
                                        std::unique_ptr<Compressor> inner) {
  const auto steps = options.integer("steps", 100, 0, std::numeric_limits<std::int64_t>::max());
  return std::make_unique<Warmup>(steps, std::move(inner));
}

}  // namespace terse
