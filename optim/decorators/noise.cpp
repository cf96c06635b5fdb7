// Noise before compression.
//
//   worker w:  for each tensor x of n values: x' = x + sigma r xi,  xi_i ~ N(0, 1)
//              r = |x|_2 / sqrt(n), the tensor's root mean square; with scale=absolute r = 1
//              encode x' in place of x
//
// Before a vote or a median the noise makes the result a smooth function of the workers' gradients:
// with many workers, or on average over the steps, it moves from their median to their mean as sigma
// grows. `none+noise` with the aggregation `median` is the noisy median; `vote+noise` is what
// `noisy_sign` does in one stage. The price is variance: about sigma^2 times that of the gradients.
//
// Cost: a normal draw a coordinate. The packet does not grow.
// Source: Chen et al., arXiv 1906.01736, where the width is absolute. That the noise is normal, and
// drawn anew for each coordinate and step, is our reading.
#include "tersegrad/optim/decorators/noise.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

GradientNoise GradientNoise::from(Options& options) {
  constexpr std::array<std::string_view, 2> kScales{"rms", "absolute"};
  const auto sigma = options.number("sigma", 1, 0, 1e6);
  return {.sigma = sigma, .relative = options.choice("scale", "rms", kScales) == "rms"};
}

std::string GradientNoise::spec() const {
  return fmt::format("sigma={},scale={}", sigma, relative ? "rms" : "absolute");
}

void GradientNoise::add(const Philox& draws, const GradView& grad, std::span<float> out) const {
  const auto n = std::ssize(grad.data);
  if (n == 0) return;
  const double rms = std::sqrt(kernels::sum_of_squares(grad.data) / static_cast<double>(n));
  const auto width = static_cast<float>(sigma * (relative ? rms : 1));
  parallel_for(n, kernels::kGrain, [&](std::int64_t begin, std::int64_t end) {
    auto random = draws;
    random.seek(draws.position() + static_cast<std::uint64_t>(2 * begin));
    for (auto i = begin; i < end; ++i) out[i] = grad.data[i] + width * random.normal();
  });
}

namespace {

// A tensor's stream in a step has 2^34 words. What stands inside this stage reads them from the
// first on; the noise reads the second half, so that both are independent.
constexpr std::uint64_t kSecondHalf = std::uint64_t{1} << 33;

class Noise final : public Decorator {
 public:
  Noise(const GradientNoise& noise, std::unique_ptr<Compressor> inner)
      : Decorator(std::move(inner)), noise_(noise) {}

  std::string spec() const override { return around("noise:" + noise_.spec()); }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto noisy = copy_.like(grads);  // the same x' in every phase of a step
    for (std::size_t t = 0; t < grads.size(); ++t) {
      auto draws = worker_stream(round, grads[t].id);
      draws.seek(kSecondHalf);
      noise_.add(draws, grads[t], noisy[t].data);
    }
    inner_->encode(round, noisy, up);
  }

 private:
  GradientNoise noise_;
  BucketCopy copy_;
};

}  // namespace

std::unique_ptr<Compressor> make_noise(std::uint16_t, Options& options,
                                       std::unique_ptr<Compressor> inner) {
  return std::make_unique<Noise>(GradientNoise::from(options), std::move(inner));
}

}  // namespace terse
