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
// noisy median of the same paper is `none+noise` with the aggregation `median`: decorators/noise.cpp.
#include <fmt/format.h>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/decorators/decorator.hpp"
#include "tersegrad/optim/decorators/noise.hpp"

namespace terse {

CompressorFactory make_vote;

namespace {

class NoisySign final : public Decorator {
 public:
  NoisySign(const GradientNoise& noise, std::unique_ptr<Compressor> vote)
      : Decorator(std::move(vote)), noise_(noise) {}

  std::string spec() const override {
    const auto vote = inner_->spec();  // "vote:beta=0,tie=…"
    return fmt::format("noisy_sign:{},{}", noise_.spec(), vote.substr(vote.find("tie=")));
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto noisy = copy_.like(grads);
    for (std::size_t t = 0; t < grads.size(); ++t) {
      noise_.add(worker_stream(round, grads[t].id), grads[t], noisy[t].data);
    }
    inner_->encode(round, noisy, up);
  }

 private:
  GradientNoise noise_;
  BucketCopy copy_;
};

}  // namespace

std::unique_ptr<Compressor> make_noisy_sign(std::uint16_t number, Options& options,
                                            std::unique_ptr<Compressor>) {
  check<UsageError>(!options.has("beta"),
                    "noisy_sign: expected no beta=; write noisy_sign+momentum:beta=…, which adds "
                    "the noise after the momentum");
  const auto noise = GradientNoise::from(options);
  return std::make_unique<NoisySign>(noise, make_vote(number, options, nullptr));
}

}  // namespace terse
