// fp16 and bf16: every value as a float of 16 bits.
//
//   worker w:  send x_i rounded to the nearest such float, ties to even
//   exchange:  every worker receives all packets
//   worker:    mean = sum over w of the values sent / W, in 32 bits
//
// With `reduce=wide` or `reduce=hop` the halves are added up on the way instead (half_sum.cpp),
// which sends as many bytes as an all-reduce of halves, and rounds again.
//
// The error of fp16 is at most 2^-11 |x| from 6.1e-5 to 65504, and 2^-25 below. Values of 65520 and
// more become infinite, as in IEEE 754 and in the fp16 hooks of PyTorch and Horovod. Scale the
// loss, or use bf16, which has the range of a float and an error of at most 2^-8 |x| from 2^-126
// on, and 2^-134 below. `stochastic` makes bf16 unbiased: it rounds at random to one of the two
// neighbours.
//
// Payload: 2 bytes per value, tensors without gaps, up to a whole word.
// Time: one pass.
// Source: IEEE 754-2008, binary16; bfloat16: Kalamkar et al., arXiv 1905.12322.
#include "tersegrad/optim/compressors/half.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/half.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {

// ---- the formats --------------------------------------------------------------------------------

void Fp16::write(const Round&, const GradView& grad, std::span<std::uint16_t> out) const {
  kernels::to_fp16(grad.data, out);
}
void Fp16::add(Halves halves, float weight, std::span<float> out) {
  kernels::add_fp16(halves, weight, out);
}
void Fp16::round(const SumRounding&, std::span<const float> x, std::span<std::uint16_t> out) const {
  kernels::to_fp16(x, out);
}
void Fp16::add_rounded(const SumRounding&, Halves halves, std::span<std::uint16_t> sum) const {
  kernels::add_rounded_fp16(halves, sum);
}

namespace {

// out[i] = value(i), rounded by the draw of coordinate `first` + i.
template <class Value>
void round_by_draws(const kernels::Draws& draws, std::int64_t first, std::span<std::uint16_t> out,
                    Value value) {
  using kernels::Draws;
  const auto skip = first % Draws::kBlock;  // draws begin at multiples of kBlock
  vectorized_for(skip + std::ssize(out), kernels::kGrain,
                 [&, to = out.data()](std::int64_t begin, std::int64_t end) {
                   Draws::Upper upper;
                   for (auto at = begin; at < end; at += Draws::kRun) {
                     draws.upper(first - skip + at, end - at, upper);
                     for (auto i = std::max(at, skip); i < std::min(end, at + Draws::kRun); ++i) {
                       to[i - skip] = kernels::to_bf16(value(i - skip), upper[i - at]);
                     }
                   }
                 });
}

// The draws of a reduced sum, the same on all workers.
kernels::Draws sum_draws(const SumRounding& at) {
  return kernels::Draws(Philox(at.round.seed, {.purpose = Purpose::sum,
                                               .worker = at.hop,
                                               .step = static_cast<std::uint32_t>(at.round.step)}));
}

}  // namespace

std::string Bf16::spec() const {
  return fmt::format("bf16:stochastic={},", stochastic);
}
void Bf16::write(const Round& round, const GradView& grad, std::span<std::uint16_t> out) const {
  if (!stochastic) return kernels::to_bf16(grad.data, out);
  round_by_draws(rounding_draws(round, grad), 0, out,
                 [from = grad.data.data()](std::int64_t i) { return from[i]; });
}
void Bf16::add(Halves halves, float weight, std::span<float> out) {
  kernels::add_bf16(halves, weight, out);
}
void Bf16::round(const SumRounding& at, std::span<const float> x,
                 std::span<std::uint16_t> out) const {
  if (!stochastic) return kernels::to_bf16(x, out);
  round_by_draws(sum_draws(at), at.coordinate, out,
                 [from = x.data()](std::int64_t i) { return from[i]; });
}
void Bf16::add_rounded(const SumRounding& at, Halves halves, std::span<std::uint16_t> sum) const {
  if (!stochastic) return kernels::add_rounded_bf16(halves, sum);
  round_by_draws(sum_draws(at), at.coordinate, sum,
                 [from = halves.data(), to = sum.data()](std::int64_t i) {
                   return kernels::from_bf16(to[i]) + kernels::from_bf16(from[i]);
                 });
}

// ---- the gathered exchange ----------------------------------------------------------------------

namespace {

std::int64_t words_of_halves(std::int64_t halves) {
  return (halves + 1) / 2;
}

template <class Format>
class GatheredHalves final : public GatherCompressor {
 public:
  GatheredHalves(std::uint16_t number, Format format) : GatherCompressor(number), format_(format) {}

  std::string spec() const override { return format_.spec() + "reduce=gather"; }
  // 0 is such a float, so the nearest one is never further from x than 0 is.
  bool is_contraction() const override { return true; }
  std::optional<double> variance(std::uint64_t, std::span<const GradView>) const override {
    return format_.variance();
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    const auto n = count(grads);
    const auto words = start(round, grads, words_of_halves(n), up);
    auto halves = std::span(reinterpret_cast<std::uint16_t*>(words.data()), 2 * words.size());
    if (n % 2 != 0) halves.back() = 0;
    for (const auto& grad : grads) {
      format_.write(round, grad, halves.first(grad.data.size()));
      halves = halves.subspan(grad.data.size());
    }
  }

  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override {
    const auto n = count(out);
    expect_size(payload, words_of_halves(n));
    expect_padding(payload, 16 * n);
    const auto* halves = reinterpret_cast<const std::uint16_t*>(payload.data());
    for (const auto& view : out) {
      Format::add({halves, view.data.size()}, weight, view.data);
      halves += view.data.size();
    }
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    list.words("halves", words_of_halves(count(shape)));
    return list.take();
  }

 private:
  Format format_;
};

template <class Format>
std::unique_ptr<Compressor> make_halves(std::uint16_t number, Options& options, Format format) {
  constexpr std::array<std::string_view, 3> kReduce{"gather", "wide", "hop"};
  constexpr std::array<std::string_view, 2> kDivide{"after", "before"};
  const auto reduce = options.choice("reduce", "gather", kReduce);
  if (reduce == "gather") {
    check<UsageError>(!options.has("divide"),
                      "divide: expected reduce=wide or reduce=hop with it; gathered halves are "
                      "divided in 32 bits");
    return std::make_unique<GatheredHalves<Format>>(number, format);
  }
  const auto divide = options.choice("divide", "after", kDivide);
  return make_half_sum(number, format,
                       {.wide = reduce == "wide", .divide_before = divide == "before"});
}

}  // namespace

std::unique_ptr<Compressor> make_fp16(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  return make_halves(number, options, Fp16());
}

std::unique_ptr<Compressor> make_bf16(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  return make_halves(number, options, Bf16{.stochastic = options.flag("stochastic", false)});
}

}  // namespace terse
