// Natural compression: every value is rounded at random to a power of two next to it.
//
//   worker w:  x_i = ± 2^a (1 + f), 0 <= f < 1:  send the sign, and a or, with probability f, a + 1
//   exchange:  every worker receives all packets
//   worker:    mean = sum over w of ± 2^a / W
//
// C is unbiased, and E|C(x) - x|^2 is the sum of 4^a f (1 - f), at most |x|^2 / 8. The exponent is
// the byte of the float itself. 0 stays 0, and a value smaller than 2^-126 becomes 2^-126 or 0,
// without bias too, but with a variance of |x| (2^-126 - |x|), at most 2^-254. There is no power
// above 2^127: larger values become 2^127. An infinity has byte 255, and NaN byte 0 with the sign
// set.
//
// Payload: for every tensor, 32 values at a time: 32 bytes of exponents, 4 bytes of signs. The last
// values, fewer than 32, have their bytes up to a whole word, and a word of signs. That makes 9
// bits per value.
// Time: one pass and 16 random bits per value (32 where these do not decide).
// Source: Horvath et al., arXiv 1905.10988; the codes of values that are not finite are ours.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/compressors/gather.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/compressors/streams.hpp"
#include "tersegrad/optim/kernels/bits.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

using kernels::kWordBits;

constexpr std::int64_t kBlockWords = 9;  // of 32 values
constexpr std::uint32_t kMantissa = 0x7fffff, kNotFinite = 255, kLargest = 254;

std::int64_t words_of_powers(std::int64_t n) {
  const auto rest = n % kWordBits;
  return n / kWordBits * kBlockWords + (rest > 0 ? (rest + 3) / 4 + 1 : 0);
}

// A power of two in the form of a block.
struct Power {
  std::uint32_t exponent, minus;
};

// The power of two for a value; `up` chooses the upper one.
Power power_of(std::uint32_t bits, bool up) {
  const auto magnitude = bits & 0x7fffffffU, exponent = magnitude >> 23;
  const bool nan = magnitude > kNotFinite << 23;
  const auto rounded = exponent + (up && exponent < kLargest ? 1U : 0U);
  return {nan ? 0U : rounded, nan || rounded == 0 ? std::uint32_t{nan} : bits >> 31};
}

// The bytes of 32 values, and the word of their signs. The upper bits of the draws decide; where
// they are equal to those of f, the lower bits do.
struct Block {
  std::array<std::uint8_t, kWordBits> exponents;
  std::uint32_t signs = 0;

  Block(const float* x, std::int64_t first, const kernels::Draws& draws,
        const kernels::Draws::Upper::Half& upper) {
    std::uint32_t ties = 0, plane = 0;
    for (std::uint32_t i = 0; i < kWordBits; ++i) {
      const auto bits = std::bit_cast<std::uint32_t>(x[i]);
      const std::uint32_t likely = (bits & kMantissa) >> 7, draw = upper[i];
      ties |= std::uint32_t{draw == likely} << i;
      const auto power = power_of(bits, draw < likely);
      exponents[i] = static_cast<std::uint8_t>(power.exponent);
      plane |= power.minus << i;
    }
    for (; ties != 0; ties &= ties - 1) {
      const auto i = std::countr_zero(ties);
      const auto bits = std::bit_cast<std::uint32_t>(x[i]);
      const auto power = power_of(bits, draws.lower(first + i) < (bits & 0x7fU) << 9);
      exponents[i] = static_cast<std::uint8_t>(power.exponent);
      plane = (plane & ~(1U << i)) | power.minus << i;
    }
    signs = plane;
  }
};

void add_block(std::span<const std::uint32_t> words, float weight, std::span<float> out) {
  constexpr std::uint32_t kNan = 0x7fc00000;
  std::array<std::uint8_t, kWordBits> exponents{};
  if (out.size() == kWordBits) {
    std::memcpy(exponents.data(), words.data(), kWordBits);
  } else {
    std::memcpy(exponents.data(), words.data(), words.size_bytes() - sizeof words.back());
  }
  const auto signs = words.back();
  std::array<float, kWordBits> values;
  for (std::uint32_t i = 0; i < kWordBits; ++i) {
    const std::uint32_t exponent = exponents[i], minus = signs >> i & 1U;
    const auto power = exponent << 23 | minus << 31;
    values[i] = std::bit_cast<float>(power == 1U << 31 ? kNan : power);
  }
  if (out.size() == kWordBits) {  // a constant length: the values stay in registers
    for (std::size_t i = 0; i < kWordBits; ++i) out[i] += weight * values[i];
  } else {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += weight * values[i];
  }
}

// Throws PacketError unless all bits of the block after those of its n values are zero.
void expect_unused_bits(std::span<const std::uint32_t> block, std::int64_t n) {
  if (block.empty()) return;
  expect_padding(block.first(block.size() - 1), 8 * n);
  expect_padding(block.last(1), n);
}

class Natural final : public GatherCompressor {
 public:
  using GatherCompressor::GatherCompressor;

  std::string spec() const override { return "natural"; }
  bool is_contraction() const override { return true; }
  std::optional<double> variance(std::uint64_t, std::span<const GradView>) const override {
    return 1.0 / 8;
  }

  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    std::int64_t total = 0;
    for (const auto& grad : grads) total += words_of_powers(std::ssize(grad.data));
    PayloadWriter payload(start(round, grads, total, up));
    for (const auto& grad : grads) {
      const auto words = payload.next_words(words_of_powers(std::ssize(grad.data)));
      const auto draws = rounding_draws(round, grad);
      vectorized_for(
          std::ssize(grad.data), kernels::kGrain, [&](std::int64_t begin, std::int64_t end) {
            kernels::Draws::Upper upper;
            std::array<float, kWordBits> last{};
            for (auto at = begin; at < end; at += kWordBits) {
              if (at % kernels::Draws::kRun == 0) draws.upper(at, end - at, upper);
              const auto n = std::min(kWordBits, end - at);
              const float* from = grad.data.data() + at;
              if (n < kWordBits) {
                std::copy_n(from, n, last.begin());
                from = last.data();
              }
              const Block block(from, at, draws, upper.half(at % kernels::Draws::kRun / kWordBits));
              const auto to =
                  words.subspan(words_of_powers(at), words_of_powers(at + n) - words_of_powers(at));
              if (n == kWordBits) {
                std::memcpy(to.data(), block.exponents.data(), kWordBits);
              } else {
                std::memcpy(to.data(), block.exponents.data(),
                            to.size_bytes() - sizeof block.signs);
              }
              to.back() = block.signs;
            }
          });
    }
  }

  void add(const Round&, std::span<const std::uint32_t> payload, float weight,
           std::span<const GradView> out) const override {
    std::int64_t total = 0;
    for (const auto& view : out) total += words_of_powers(std::ssize(view.data));
    PayloadReader in(payload, total);
    for (const auto& view : out) {
      const auto n = std::ssize(view.data), whole = n - n % kWordBits;
      const auto words = in.next_words(words_of_powers(n));
      expect_unused_bits(words.subspan(words_of_powers(whole)), n - whole);
      vectorized_for(n, kernels::kGrain, [&](std::int64_t begin, std::int64_t end) {
        for (auto at = begin; at < end; at += kWordBits) {
          const auto m = std::min(kWordBits, end - at);
          add_block(
              words.subspan(words_of_powers(at), words_of_powers(at + m) - words_of_powers(at)),
              weight, view.data.subspan(at, m));
        }
      });
    }
  }

  std::vector<Field> fields(const Round&, const Packet& up,
                            std::span<const GradView> shape) const override {
    FieldList list(up);
    for (const auto& view : shape) {
      list.words("powers of " + shape_text(view), words_of_powers(std::ssize(view.data)));
    }
    return list.take();
  }
};

}  // namespace

std::unique_ptr<Compressor> make_natural(std::uint16_t number, Options&,
                                         std::unique_ptr<Compressor>) {
  return std::make_unique<Natural>(number);
}

}  // namespace terse
