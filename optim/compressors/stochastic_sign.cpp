// Stochastic sign with its norm: one bit per coordinate, without bias.
//
//   worker w:  N = |x|_2, or with norm=max the largest |x_i|
//              s_i = + with the probability 1/2 + x_i / (2 N), - otherwise, independently
//              send N, then the s_i, one bit each
//   exchange:  every worker receives all packets
//   worker:    mean = sum over w of N_w s_w / W
//
// E C(x) = x, and E|C(x) - x|^2 = (n N^2 / |x|_2^2 - 1) |x|_2^2: n - 1 times |x|^2 for the 2-norm,
// less for norm=max. With scope=tensor each tensor of n values has its own N; with scope=model
// there is one N of all d values, and the model must be one bucket. A zero vector is sent as N = 0.
//
// `ssdm:scaled` is this compressor behind SSDM's momentum: unlike SSDM it stays unbiased when the
// workers' gradients differ in length.
//
// Payload: 4 bytes a norm + 4 ceil(d/32).
// Time: a pass for the norm, a draw per coordinate.
// Source: Safaryan and Richtárik, arXiv 1905.12938, definition of the stochastic sign.
#include <fmt/format.h>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/scope.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/decorators/momentum.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/levels.hpp"
#include "tersegrad/optim/kernels/stochastic_sign.hpp"

namespace terse {
namespace {

class StochasticSign final : public GatherCompressor {
 public:
  StochasticSign(std::uint16_t number, bool max_norm, Scope scope)
      : GatherCompressor(number), max_norm_(max_norm), scope_(scope) {}

  std::string spec() const override {
    return fmt::format("stochastic_sign:norm={},scope={}", max_norm_ ? "max" : "l2",
                       to_string(scope_));
  }
  Traits traits(std::uint64_t) const override { return {.whole_model = scope_ == Scope::model}; }
  // n N^2 / |x|_2^2 - 1, and N is at most |x|_2.
  std::optional<double> variance(std::uint64_t, std::span<const GradView> shape) const override {
    std::int64_t most = scope_ == Scope::model ? count(shape) : 1;
    for (const auto& view : shape) most = std::max(most, std::ssize(view.data));
    return static_cast<double>(std::max<std::int64_t>(1, most) - 1);
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto norms = norms_of(grads);
    PayloadWriter payload(
        start(round, grads, std::ssize(norms) + kernels::words_for(count(grads)), up));
    std::ranges::copy(norms, payload.next_floats(norms.size()).begin());
    const auto signs = payload.rest();
    std::ranges::fill(signs, 0U);
    std::int64_t at = 0;  // the tensor's first bit in a plane
    for (std::size_t t = 0; t < grads.size(); ++t) {
      kernels::pack_stochastic(grads[t].data, norms[scope_ == Scope::model ? 0 : t],
                               rounding_draws(round, grads[t]), at, signs);
      at += std::ssize(grads[t].data);
    }
  }

  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override {
    const auto n = count(out);
    PayloadReader in(payload, norms(out) + kernels::words_for(n));
    const auto norm = in.next_floats(norms(out));
    const auto signs = in.rest();
    expect_padding(signs, n);
    std::int64_t at = 0;  // the tensor's first bit in a plane
    for (std::size_t t = 0; t < out.size(); ++t) {
      const float scale = norm[scope_ == Scope::model ? 0 : t];
      kernels::add_signs(signs, at, weight * scale, out[t].data);
      at += std::ssize(out[t].data);
    }
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    list.floats("norms", norms(shape));
    list.words("sign bits", kernels::words_for(count(shape)));
    return list.take();
  }

 private:
  std::int64_t norms(std::span<const GradView> views) const {
    return scope_ == Scope::model ? 1 : std::ssize(views);
  }

  // The norms as floats, as they are sent: probabilities and values use the same rounded norm.
  std::vector<float> norms_of(std::span<const GradView> grads) const {
    std::vector<float> norms(static_cast<std::size_t>(this->norms(grads)));
    double squares = 0, largest = 0;
    for (std::size_t t = 0; t < grads.size(); ++t) {
      if (scope_ == Scope::tensor) squares = largest = 0;
      if (max_norm_) {
        const double here = kernels::largest_magnitude(grads[t].data);  // NaN is the largest
        if (!std::isnan(largest) && !(here <= largest)) largest = here;
      } else {
        squares += kernels::sum_of_squares(grads[t].data);
      }
      norms[scope_ == Scope::model ? 0 : t] =
          static_cast<float>(max_norm_ ? largest : std::sqrt(squares));
    }
    return norms;
  }

  bool max_norm_;
  Scope scope_;
};

}  // namespace

std::unique_ptr<Compressor> make_stochastic_sign(std::uint16_t number, Options& options,
                                                 std::unique_ptr<Compressor>) {
  constexpr std::array<std::string_view, 2> kNorms{"l2", "max"};
  const auto norm = options.choice("norm", "l2", kNorms);
  return std::make_unique<StochasticSign>(number, norm == "max", parse_scope(options, "tensor"));
}

}  // namespace terse
