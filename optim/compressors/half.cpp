// fp16 and bf16: every value as a float of 16 bits.
//
//   worker w:  send x_i rounded to the nearest such float, ties to even
//   exchange:  every worker receives all packets
//   worker:    mean = sum over w of the values sent / W, in 32 bits
//
// An all-reduce would round again in every hop, therefore packets are gathered and not added on the
// way. The error of fp16 is at most 2^-11 |x| from 6.1e-5 to 65504, and 2^-25 below. Values of
// 65520 and more become infinite, as in IEEE 754 and in the fp16 hooks of PyTorch and Horovod.
// Scale the loss, or use bf16, which has the range of a float and an error of at most 2^-8 |x|
// from 2^-126 on, and 2^-134 below.
// `stochastic` makes bf16 unbiased: it rounds at random to one of the two neighbours.
//
// Payload: 2 bytes per value, tensors without gaps, up to a whole word.
// Time: one pass.
// Source: IEEE 754-2008, binary16; bfloat16: Kalamkar et al., arXiv 1905.12322.
#include <fmt/format.h>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/half.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

std::int64_t words_of_halves(std::int64_t halves) {
  return (halves + 1) / 2;
}

// The functions of a format. `write` sets out = the 16-bit floats of one tensor.
struct Fp16 {
  static std::string spec() { return "fp16"; }
  static std::optional<double> variance() { return std::nullopt; }
  static void write(const Round&, const GradView& grad, std::span<std::uint16_t> out) {
    kernels::to_fp16(grad.data, out);
  }
  static void add(std::span<const std::uint16_t> halves, float weight, std::span<float> out) {
    kernels::add_fp16(halves, weight, out);
  }
};

struct Bf16 {
  bool stochastic = false;

  std::string spec() const { return fmt::format("bf16:stochastic={}", stochastic); }
  // The neighbours of x are at most 2^-7 |x| apart, and p (1 - p) is at most 1/4.
  std::optional<double> variance() const {
    return stochastic ? std::optional(0x1p-16) : std::nullopt;
  }
  void write(const Round& round, const GradView& grad, std::span<std::uint16_t> out) const {
    const auto draws = rounding_draws(round, grad);
    vectorized_for(
        std::ssize(out), kernels::kGrain,
        [&, from = grad.data.data(), to = out.data()](std::int64_t begin, std::int64_t end) {
          if (!stochastic) {
            for (auto i = begin; i < end; ++i) to[i] = kernels::to_bf16(from[i]);
            return;
          }
          kernels::Draws::Upper upper;
          for (auto at = begin; at < end; at += kernels::Draws::kRun) {
            draws.upper(at, end - at, upper);
            for (auto i = at; i < std::min(end, at + kernels::Draws::kRun); ++i) {
              to[i] = kernels::to_bf16(from[i], upper[i - at]);
            }
          }
        });
  }
  static void add(std::span<const std::uint16_t> halves, float weight, std::span<float> out) {
    kernels::add_bf16(halves, weight, out);
  }
};

template <class Format>
class Halves final : public GatherCompressor {
 public:
  Halves(std::uint16_t number, Format format) : GatherCompressor(number), format_(format) {}

  std::string spec() const override { return format_.spec(); }
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

}  // namespace

std::unique_ptr<Compressor> make_fp16(std::uint16_t number, Options&, std::unique_ptr<Compressor>) {
  return std::make_unique<Halves<Fp16>>(number, Fp16());
}

std::unique_ptr<Compressor> make_bf16(std::uint16_t number, Options& options,
                                      std::unique_ptr<Compressor>) {
  return std::make_unique<Halves<Bf16>>(number, Bf16{options.flag("stochastic", false)});
}

}  // namespace terse
