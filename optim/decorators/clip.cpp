// Clipping by the global norm, before any other stage changes the gradient.
//
//   worker:  s = min(1, norm / |g|_2)        over all tensors of its own gradient
//            encode s g in place of g
//
// Cost: two more passes. The packet does not grow; all tensors are needed at once.
// Source: Pascanu et al., arXiv 1211.5063. Each worker clips before compression, as in the
// language-model runs of Vogels et al., arXiv 1905.13727.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

class Clip final : public Decorator {
 public:
  Clip(double norm, std::unique_ptr<Compressor> inner) : Decorator(std::move(inner)), norm_(norm) {}

  // x is first multiplied by a factor in (0, 1], and C leaves out less than that.
  bool is_contraction() const override { return inner_->is_contraction(); }
  std::string spec() const override { return around(fmt::format("clip:norm={}", norm_)); }

  Traits traits(std::uint64_t step) const override {
    auto traits = inner_->traits(step);
    traits.whole_model = true;
    return traits;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    double squares = 0;
    for (const auto& grad : grads) squares += kernels::sum_of_squares(grad.data);
    const double length = std::sqrt(squares);
    if (!(length > norm_)) return inner_->encode(round, grads, up);
    const auto clipped = copy_.like(grads);
    for (std::size_t t = 0; t < grads.size(); ++t) {
      kernels::scale_to(grads[t].data, static_cast<float>(norm_ / length), clipped[t].data);
    }
    inner_->encode(round, clipped, up);
  }

 private:
  double norm_;
  BucketCopy copy_;
};

}  // namespace

std::unique_ptr<Compressor> make_clip(std::uint16_t, Options& options,
                                      std::unique_ptr<Compressor> inner) {
  const auto norm = options.number("norm", 1, 0, std::numeric_limits<double>::infinity());
  return std::make_unique<Clip>(norm, std::move(inner));
}

}  // namespace terse
