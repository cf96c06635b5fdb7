// Noisy sign: a majority vote of the signs of gradient plus noise.
//
//   worker w:  for each tensor x of n values: x' = x + sigma r xi,  xi_i ~ N(0, 1)
//              r = |x|_2 / sqrt(n), the tensor's root mean square; with scale=absolute r = 1
//              send sign(x')
//   exchange and decoding: as of `vote`
//
// The noise makes the share of + votes a smooth function of the gradient. With many workers the
// vote then follows the mean of their gradients, where votes without noise follow the median:
// workers with different data agree at a point nearer to the minimiser. The price is variance: it
// takes about sigma^2 times as many votes.
//
// Payload: that of `vote`.
// Time: that of `vote` and a normal draw a coordinate.
// Source: Chen et al., arXiv 1906.01736 (noisy signSGD; there the noise's width is absolute). The
// noisy median of the same paper, noise before a median of gradients, is not implemented.
#include <fmt/format.h>

#include <array>
#include <cmath>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

CompressorFactory make_vote;

namespace {

class NoisySign final : public Decorator {
 public:
  NoisySign(double sigma, bool relative, std::unique_ptr<Compressor> vote)
      : Decorator(std::move(vote)), sigma_(sigma), relative_(relative) {}

  std::string spec() const override {
    const auto vote = inner_->spec();  // "vote:beta=0,tie=…"
    return fmt::format("noisy_sign:sigma={},scale={},{}", sigma_, relative_ ? "rms" : "absolute",
                       vote.substr(vote.find("tie=")));
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto noisy = copy_.like(grads);
    for (std::size_t t = 0; t < grads.size(); ++t) blur(round, grads[t], noisy[t].data);
    inner_->encode(round, noisy, up);
  }

 private:
  // out = x'
  void blur(const Round& round, const GradView& grad, std::span<float> out) const {
    const auto n = std::ssize(grad.data);
    if (n == 0) return;
    const double rms = std::sqrt(kernels::sum_of_squares(grad.data) / static_cast<double>(n));
    const auto width = static_cast<float>(sigma_ * (relative_ ? rms : 1));
    const auto draws = worker_stream(round, grad.id);
    parallel_for(n, kernels::kGrain, [&](std::int64_t begin, std::int64_t end) {
      auto random = draws;
      random.seek(static_cast<std::uint64_t>(2 * begin));  // two words for each normal
      for (auto i = begin; i < end; ++i) out[i] = grad.data[i] + width * random.normal();
    });
  }

  double sigma_;
  bool relative_;
  BucketCopy copy_;
};

}  // namespace

std::unique_ptr<Compressor> make_noisy_sign(std::uint16_t number, Options& options,
                                            std::unique_ptr<Compressor>) {
  constexpr std::array<std::string_view, 2> kScales{"rms", "absolute"};
  check<UsageError>(!options.has("beta"),
                    "noisy_sign: expected no beta=; write noisy_sign+momentum:beta=…, which adds "
                    "the noise after the momentum");
  const auto sigma = options.number("sigma", 1, 0, 1e6);
  const auto scale = options.choice("scale", "rms", kScales);
  return std::make_unique<NoisySign>(sigma, scale == "rms", make_vote(number, options, nullptr));
}

}  // namespace terse
