#include "tersegrad/inspect/observed_compressor.hpp"

#include <utility>

#include "tersegrad/optim/decorators/decorator.hpp"

namespace terse {
namespace {

class ObservedCompressor final : public Decorator {
 public:
  ObservedCompressor(std::unique_ptr<Compressor> inner, CompressorObserver& observer)
      : Decorator(std::move(inner)), observer_(observer) {}

  std::string spec() const override { return inner_->spec(); }
  bool is_contraction() const override { return inner_->is_contraction(); }
  std::optional<double> contraction(std::uint64_t step,
                                    std::span<const GradView> shape) const override {
    return inner_->contraction(step, shape);
  }
  std::optional<double> variance(std::uint64_t step,
                                 std::span<const GradView> shape) const override {
    return inner_->variance(step, shape);
  }
  bool uncompressed() const override { return !observer_.watches() && inner_->uncompressed(); }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const bool watches = observer_.watches();
    if (watches && round.phase == 0) observer_.input(round, grads, 1, {});
    inner_->encode(round, grads, up);
    if (watches) observer_.packet(round, grads, *inner_, up);
  }

  bool encode_with_residual(const Round& round, std::span<const GradView> grads, float keep,
                            std::span<const GradView> residual, Packet& up) override {
    const bool watches = observer_.watches();
    if (watches && round.phase == 0) {
      inner_->settle(residual);
      observer_.input(round, grads, keep, residual);
    }
    if (!inner_->encode_with_residual(round, grads, keep, residual, up)) return false;
    if (watches) observer_.packet(round, grads, *inner_, up);
    return true;
  }
  void settle(std::span<const GradView> residual) override { inner_->settle(residual); }

  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> scratch) override {
    const auto& mean = inner_->decode(round, down, scratch);
    if (observer_.watches()) observer_.mean(round, scratch, mean);
    return mean;
  }

 private:
  CompressorObserver& observer_;
};

}  // namespace

std::unique_ptr<Compressor> observed(std::unique_ptr<Compressor> compressor,
                                     CompressorObserver& observer) {
  return std::make_unique<ObservedCompressor>(std::move(compressor), observer);
}

}  // namespace terse
