// TernGrad: every value becomes -s, 0 or +s, where s is the largest magnitude of its tensor.
//
//   worker w:  clip=c > 0: limit x to c standard deviations of its tensor
//              for each tensor: s_w = max |x_i|
//              b_i = 1 with probability |x_i| / s_w, or else 0
//              send s_w of every tensor, then the bits b_i, then the bits x_i < 0 and b_i
//   exchange:  every worker receives all packets
//   worker:    mean_i = sum over w of s_w b_i sign(x_i) / W
//
// `shared`, with one scale for all workers, is in terngrad_shared.cpp.
//
// Without clipping C is unbiased and E|C(x) - x|^2 = (|x|_1 |x|_inf / |x|_2^2 - 1) |x|^2 for each
// tensor, at most (sqrt(n) - 1)/2 |x|^2 for n values. A NaN or infinity makes the tensor NaN.
//
// Payload: 8 ceil(d/32) + 4 T bytes for T tensors.
// Time: two passes (four if clipped) and 16 random bits per value (32 where these do not decide).
// Source: Wen et al., arXiv 1705.07878.
#include "tersegrad/optim/compressors/terngrad.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/levels.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

using kernels::words_for;

// The standard deviation of a tensor about its mean.
double deviation(std::span<const float> x) {
  const auto n = static_cast<double>(x.size());
  const auto sum_of = [&](auto term) {
    return parallel_sum(std::ssize(x), kernels::kGrain, [&](std::int64_t begin, std::int64_t end) {
      double sum = 0;
      for (auto i = begin; i < end; ++i) sum += term(double{x[i]});
      return sum;
    });
  };
  const double mean = sum_of([](double v) { return v; }) / n;
  return std::sqrt(sum_of([mean](double v) { return (v - mean) * (v - mean); }) / n);
}

// The largest magnitude of x, limited to `clip` standard deviations unless those are 0.
float scale_of(std::span<const float> x, double clip) {
  const float largest = kernels::largest_magnitude(x);
  if (clip == 0 || !std::isfinite(largest)) return largest;
  const auto limit = static_cast<float>(clip * deviation(x));
  return limit > 0 ? std::min(largest, limit) : largest;
}

class TernGrad final : public GatherCompressor {
 public:
  TernGrad(std::uint16_t number, double clip) : GatherCompressor(number), clip_(clip) {}

  std::string spec() const override { return fmt::format("terngrad:clip={},shared=false", clip_); }
  // |x|_1 |x|_inf / |x|_2^2 is at most (sqrt(n) + 1)/2, where all values but the largest are
  // 1/(sqrt(n) + 1) of it.
  std::optional<double> variance(std::uint64_t, std::span<const GradView> shape) const override {
    if (clip_ > 0) return std::nullopt;
    std::size_t most = 1;
    for (const auto& view : shape) most = std::max(most, view.data.size());
    return (std::sqrt(static_cast<double>(most)) - 1) / 2;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    PayloadWriter payload(start(round, grads, std::ssize(grads) + 2 * words_for(count(grads)), up));
    const auto s = payload.next_floats(grads.size());
    terngrad::write_scales(grads, clip_, s);
    ternary_.write(round, grads, s, s, payload.rest());
  }

  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override {
    const auto n = count(out);
    PayloadReader in(payload, std::ssize(out) + 2 * words_for(n));
    const auto s = in.next_floats(out.size());
    const auto planes = terngrad::checked_planes(in.rest(), n);
    std::int64_t at = 0;  // the tensor's first bit in a plane
    for (std::size_t t = 0; t < out.size(); ++t) {
      kernels::add_ternary(planes.nonzero, planes.negative, at, weight * s[t], out[t].data);
      at += std::ssize(out[t].data);
    }
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    list.floats("scales", std::ssize(shape));
    list.words("nonzero bits", words_for(count(shape)));
    list.words("sign bits", words_for(count(shape)));
    return list.take();
  }

 private:
  double clip_;
  terngrad::Ternary ternary_;
};

}  // namespace

namespace terngrad {

void write_scales(std::span<const GradView> grads, double clip, std::span<float> scales) {
  for (std::size_t t = 0; t < grads.size(); ++t) scales[t] = scale_of(grads[t].data, clip);
}

Planes<const std::uint32_t> checked_planes(std::span<const std::uint32_t> words, std::int64_t n) {
  expect_size(words, 2 * words_for(n));
  const Planes planes(words);
  expect_padding(planes.nonzero, n);
  expect_padding(planes.negative, n);
  return planes;
}

void Ternary::write(const Round& round, std::span<const GradView> grads,
                    std::span<const float> scales, std::span<const float> limits,
                    std::span<std::uint32_t> words) {
  std::ranges::fill(words, 0U);
  const Planes planes(words);
  std::int64_t at = 0;  // the tensor's first bit in a plane
  for (std::size_t t = 0; t < grads.size(); ++t) {
    codes_.resize(grads[t].data.size());
    kernels::encode_levels(grads[t].data, {.levels = 1, .norm = scales[t], .limit = limits[t]},
                           rounding_draws(round, grads[t]), 0, codes_);
    kernels::pack_if(codes_, at, planes.nonzero, [](unsigned code) { return (code & 1U) != 0; });
    kernels::pack_if(codes_, at, planes.negative, [](unsigned code) { return code == 3; });
    at += std::ssize(codes_);
  }
}

}  // namespace terngrad

std::unique_ptr<Compressor> make_terngrad(std::uint16_t number, Options& options,
                                          std::unique_ptr<Compressor>) {
  const auto clip = options.number("clip", 0, 0, 1e6);
  if (options.flag("shared", false)) return make_shared_terngrad(number, clip);
  return std::make_unique<TernGrad>(number, clip);
}

}  // namespace terse
