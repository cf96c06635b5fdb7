// TernGrad: every value becomes -s, 0 or +s, where s is the largest magnitude of its bucket.
//
//   worker w:  for each bucket x of `bucket` values of a tensor (the last one is shorter):
//                clip=c > 0: limit x to c of its standard deviations
//                s_w = max |x_i|
//                b_i = 1 with probability |x_i| / s_w, or else 0
//              send s_w of every bucket, then the bits b_i, then the bits x_i < 0 and b_i
//   exchange:  every worker receives all packets
//   worker:    mean_i = sum over w of s_w b_i sign(x_i) / W
//
// bucket=0 makes each tensor one bucket, as in the paper. `shared`, with one scale for all workers,
// is in terngrad_shared.cpp.
//
// Without clipping C is unbiased and E|C(x) - x|^2 = (|x|_1 |x|_inf / |x|_2^2 - 1) |x|^2 for each
// bucket, at most (sqrt(n) - 1)/2 |x|^2 for n values. A NaN or infinity makes the bucket NaN.
//
// Payload: 8 ceil(d/32) + 4 B bytes for B buckets in all.
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

// The standard deviation of x about its mean.
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
  TernGrad(std::uint16_t number, const terngrad::Scaling& scaling)
      : GatherCompressor(number), scaling_(scaling) {}

  std::string spec() const override { return scaling_.spec(false); }
  // |x|_1 |x|_inf / |x|_2^2 is at most (sqrt(n) + 1)/2, where all values but the largest are
  // 1/(sqrt(n) + 1) of it.
  std::optional<double> variance(std::uint64_t, std::span<const GradView> shape) const override {
    if (scaling_.clip > 0) return std::nullopt;
    const auto n = std::max<std::int64_t>(1, scaling_.buckets.largest(shape));
    return (std::sqrt(static_cast<double>(n)) - 1) / 2;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto buckets = scaling_.buckets.of(grads);
    PayloadWriter payload(start(round, grads, buckets + 2 * words_for(count(grads)), up));
    const auto s = payload.next_floats(buckets);
    scaling_.write(grads, s);
    ternary_.write(round, grads, scaling_.buckets, s, s, payload.rest());
  }

  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override {
    const auto n = count(out);
    const auto buckets = scaling_.buckets.of(out);
    PayloadReader in(payload, buckets + 2 * words_for(n));
    PayloadReader scales(in.next_words(buckets));
    const auto planes = terngrad::checked_planes(in.rest(), n);
    std::int64_t at = 0;  // the tensor's first bit in a plane
    for (const auto& view : out) {
      const auto s = scales.next_floats(scaling_.buckets.of(std::ssize(view.data)));
      scaling_.buckets.for_each(
          std::ssize(view.data), [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
            kernels::add_ternary(planes.nonzero, planes.negative, at + begin, weight * s[b],
                                 view.data.subspan(begin, end - begin));
          });
      at += std::ssize(view.data);
    }
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    list.floats("scales", scaling_.buckets.of(shape));
    list.words("nonzero bits", words_for(count(shape)));
    list.words("sign bits", words_for(count(shape)));
    return list.take();
  }

 private:
  terngrad::Scaling scaling_;
  terngrad::Ternary ternary_;
};

}  // namespace

namespace terngrad {

void Scaling::write(std::span<const GradView> grads, std::span<float> scales) const {
  for (const auto& grad : grads) {
    const auto n = std::ssize(grad.data);
    buckets.for_each(n, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      scales[b] = scale_of(grad.data.subspan(begin, end - begin), clip);
    });
    scales = scales.subspan(buckets.of(n));
  }
}

std::string Scaling::spec(bool shared) const {
  return fmt::format("terngrad:clip={},bucket={},shared={}", clip, buckets.size, shared);
}

Planes<const std::uint32_t> checked_planes(std::span<const std::uint32_t> words, std::int64_t n) {
  expect_size(words, 2 * words_for(n));
  const Planes planes(words);
  expect_padding(planes.nonzero, n);
  expect_padding(planes.negative, n);
  return planes;
}

void Ternary::write(const Round& round, std::span<const GradView> grads, const Buckets& buckets,
                    std::span<const float> scales, std::span<const float> limits,
                    std::span<std::uint32_t> words) {
  std::ranges::fill(words, 0U);
  const Planes planes(words);
  std::int64_t at = 0;  // the tensor's first bit in a plane
  for (const auto& grad : grads) {
    const auto n = std::ssize(grad.data);
    const auto draws = rounding_draws(round, grad);
    codes_.resize(grad.data.size());
    buckets.for_each(n, [&](std::int64_t b, std::int64_t begin, std::int64_t end) {
      kernels::encode_levels(grad.data.subspan(begin, end - begin),
                             {.levels = 1, .norm = scales[b], .limit = limits[b]}, draws, begin,
                             std::span(codes_).subspan(begin, end - begin));
    });
    scales = scales.subspan(buckets.of(n));
    limits = limits.subspan(buckets.of(n));
    kernels::pack_if(codes_, at, planes.nonzero, [](unsigned code) { return (code & 1U) != 0; });
    kernels::pack_if(codes_, at, planes.negative, [](unsigned code) { return code == 3; });
    at += std::ssize(codes_);
  }
}

}  // namespace terngrad

std::unique_ptr<Compressor> make_terngrad(std::uint16_t number, Options& options,
                                          std::unique_ptr<Compressor>) {
  terngrad::Scaling scaling;
  scaling.clip = options.number("clip", 0, 0, 1e6);
  scaling.buckets = parse_buckets("terngrad", options, 0);
  if (options.flag("shared", false)) return make_shared_terngrad(number, scaling);
  return std::make_unique<TernGrad>(number, scaling);
}

}  // namespace terse
