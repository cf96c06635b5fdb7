#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/optim/kernels/levels.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/optim/kernels/levels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"
#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

#ifndef TERSE_OPTIM_KERNELS_LEVELS_ONCE
#define TERSE_OPTIM_KERNELS_LEVELS_ONCE
namespace terse::kernels {
namespace {

constexpr std::uint32_t kMagnitude = 0x7fffffff;
constexpr auto kHalf = Draws::Upper::kHalf;
constexpr float kUnit = 65536;
constexpr float kLeastNorm = 0x1p-100F;  // for much smaller norms the scale factor overflows

// The bits of the magnitude to which values are clamped. Magnitudes are compared as integers, where
// NaN is the largest, so NaN is clamped too.
std::uint32_t cut_of(const Levels& levels) {
  return std::bit_cast<std::uint32_t>(std::min(levels.norm, levels.limit));
}

}  // namespace
}  // namespace terse::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

// At most 8 lanes, so that four vectors hold the 32 values of a half block of draws.
constexpr hn::CappedTag<float, 8> kFloats;
constexpr hn::Repartition<std::uint32_t, decltype(kFloats)> kWords;
constexpr hn::Repartition<std::uint16_t, decltype(kFloats)> kHalves;
constexpr hn::Repartition<std::uint8_t, decltype(kFloats)> kBytes;
constexpr std::int64_t kStep = hn::MaxLanes(kFloats);
using Floats = hn::Vec<decltype(kFloats)>;
using Words = hn::Vec<decltype(kWords)>;
using Halves = hn::Vec<decltype(kHalves)>;

// Interleaves the lower (upper) 16-bit halves of the words of two vectors.
HWY_INLINE Halves lower(Words first, Words second) {
  return hn::OddEven(hn::BitCast(kHalves, hn::ShiftLeft<16>(second)), hn::BitCast(kHalves, first));
}
HWY_INLINE Halves upper(Words first, Words second) {
  return hn::OddEven(hn::BitCast(kHalves, second), hn::BitCast(kHalves, hn::ShiftRight<16>(first)));
}

// Transposes words whose four bytes belong to four vectors: the result holds all bytes of the first
// vector, then all bytes of the second, and so on.
HWY_INLINE hn::Vec<decltype(kBytes)> vector_by_vector(Halves bytes) {
  alignas(16) static constexpr std::uint8_t kTransposed[16] = {0, 4, 8,  12, 1, 5, 9,  13,
                                                               2, 6, 10, 14, 3, 7, 11, 15};
  const auto fours =
      hn::TableLookupBytes(hn::BitCast(kBytes, bytes), hn::LoadDup128(kBytes, kTransposed));
  if constexpr (kStep == 4) return fours;
  alignas(32) static constexpr std::int32_t kByVector[8] = {0, 4, 1, 5, 2, 6, 3, 7};
  return hn::BitCast(kBytes, hn::TableLookupLanes(hn::BitCast(kWords, fours),
                                                  hn::SetTableIndices(kWords, kByVector)));
}

// Computes |x| s / norm in fixed point with units of 2^-16, by one multiplication, and subtracts
// the upper bits of the draw. The factor, the product and the rounding to an integer each
// contribute an error of at most half a unit.
class FixedPoint {
 public:
  explicit FixedPoint(const Levels& levels)
      : factor_(hn::Set(kFloats, kUnit * static_cast<float>(levels.levels) / levels.norm)),
        cut_(hn::Set(kWords, cut_of(levels))),
        unused_bits_(7 - level_bits(levels.levels)) {}

  // Writes the codes of `blocks` blocks of 64 values, at most a run. Bit h of the result is set if
  // the upper bits do not determine all codes of the values 32 h … 32 h + 31; the caller must then
  // compute these exactly.
  std::uint32_t encode(const float* x, const Draws::Upper& upper, std::int64_t blocks,
                       std::uint8_t* codes) const {
    const auto self = *this;  // a local copy stays in registers: stores to `codes` may alias *this
    std::uint32_t untold = 0;
    for (std::int64_t h = 0; h < 2 * blocks; h += 2) {
      const auto* draws = upper.half(h).words;
      const auto lower = self.encode_half<0>(x + h * kHalf, draws, codes + h * kHalf);
      const auto higher = self.encode_half<1>(x + (h + 1) * kHalf, draws, codes + (h + 1) * kHalf);
      untold |= (std::uint32_t{!lower} | std::uint32_t{!higher} << 1) << h;
    }
    return untold;
  }

 private:
  // Lower halves of at least this value mean that the draw is within about 2 units of the
  // fractional part, so that the error of the fixed-point value could change the code.
  static constexpr std::uint16_t kClose = 0xfffc;

  // Encodes half kSide of a block with its draws. Returns true if they determine all codes.
  template <int kSide>
  HWY_INLINE bool encode_half(const float* x, const std::uint32_t* draws,
                              std::uint8_t* codes) const {
    auto closest = hn::Zero(kHalves);
    for (std::int64_t at = 0; at < kHalf; at += 4 * kStep) {
      Words bits[4], sums[4];
      for (int v = 0; v < 4; ++v) {
        bits[v] = hn::BitCast(kWords, hn::LoadU(kFloats, x + at + v * kStep));
        const Words pair = hn::LoadU(kWords, draws + at + v * kStep);
        sums[v] = sum(bits[v], kSide == 0 ? hn::And(pair, hn::Set(kWords, 0xffffU))
                                          : hn::ShiftRight<16>(pair));
      }
      closest = hn::Max(closest, hn::Max(lower(sums[0], sums[2]), lower(sums[1], sums[3])));
      const Halves levels = hn::Or(hn::And(upper(sums[0], sums[2]), all(0xff)),
                                   hn::ShiftLeft<8>(upper(sums[1], sums[3])));
      const Halves signs = hn::Or(hn::And(hn::ShiftRight<8>(upper(bits[0], bits[2])), all(0x80)),
                                  hn::And(upper(bits[1], bits[3]), all(0x8000)));
      const auto both = hn::Or(levels, hn::ShiftRightSame(signs, unused_bits_));
      hn::StoreU(vector_by_vector(both), kBytes, codes + at);
    }
    return hn::AllTrue(kHalves, hn::Eq(hn::Min(closest, all(kClose - 1)), closest));
  }

  static Halves all(std::uint16_t half) { return hn::Set(kHalves, half); }

  // The level of the code is in the upper half: the sum carries into it if the draw is below the
  // fractional part. Floats in [2^23, 2^24) are integers with a spacing of 1, so adding 2^23 moves
  // the rounded integer to the low bits.
  Words sum(Words bits, Words draw) const {
    const Words magnitude = hn::Min(hn::And(bits, hn::Set(kWords, kMagnitude)), cut_);
    const Floats carry = hn::Set(kFloats, 0x1p23F + kUnit - 3);
    const Floats units = hn::MulAdd(hn::BitCast(kFloats, magnitude), factor_, carry);
    return hn::Sub(hn::BitCast(kWords, units), draw);
  }

  Floats factor_;
  Words cut_;
  int unused_bits_;
};

}  // namespace

// See FixedPoint::encode.
std::uint32_t encode_run_at_level(const float* x, const Levels& levels, const Draws::Upper& upper,
                                  std::int64_t blocks, std::uint8_t* codes) {
  return FixedPoint(levels).encode(x, upper, blocks, codes);
}

void add_levels_at_level(const std::uint8_t* from, int sign_bit, float step, std::int64_t n,
                         float* to) {
  const auto add = [=](auto d, std::int64_t i) {
    const hn::RebindToUnsigned<decltype(d)> words;
    const hn::RebindToSigned<decltype(d)> integers;
    const hn::Rebind<std::uint8_t, decltype(d)> bytes;
    const auto code = hn::PromoteTo(words, hn::LoadU(bytes, from + i));
    const auto level = hn::And(code, hn::Set(words, (1U << sign_bit) - 1));
    const auto sign = hn::ShiftLeft<31>(hn::ShiftRightSame(code, sign_bit));
    const auto size = hn::ConvertTo(d, hn::BitCast(integers, level));
    const auto value = hn::BitCast(d, hn::Or(hn::BitCast(words, size), sign));
    const auto term = hn::Mul(value, hn::Set(d, step));
    hn::StoreU(hn::Add(hn::LoadU(d, to + i), term), d, to + i);
  };
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) add(kLanes, i);
  for (; i < n; ++i) add(hn::CappedTag<float, 1>(), i);
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(encode_run_at_level);
HWY_EXPORT(add_levels_at_level);

namespace {

// The exact code of value i of a tensor, from all 32 bits of its draw.
std::uint8_t exact_code(float x, const Levels& levels, std::uint32_t upper_draw, const Draws& draws,
                        std::int64_t i) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const double level = double{std::bit_cast<float>(std::min(bits & kMagnitude, cut_of(levels)))} *
                       levels.levels / double{levels.norm};
  const double below = std::floor(level), left = (level - below) * 0x1p16 - upper_draw;
  auto code = static_cast<std::uint32_t>(below) + std::uint32_t{left >= 1};
  // Evaluated as a single branch, which is rarely taken.
  const bool tie = static_cast<int>(left > 0) + static_cast<int>(left < 1) == 2;
  if (tie && draws.lower(i) < left * 0x1p16) ++code;
  return static_cast<std::uint8_t>(code | bits >> 31 << level_bits(levels.levels));
}

}  // namespace

float largest_magnitude(std::span<const float> x) {
  // Magnitudes are compared as integers, where NaN is the largest.
  constexpr auto largest_of = [](const float* from, std::int64_t n) {
    std::uint32_t most = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      most = std::max(most, std::bit_cast<std::uint32_t>(from[i]) & kMagnitude);
    }
    return most;
  };
  std::uint32_t largest = 0;
  std::mutex mutex;
  parallel_for(std::ssize(x), kGrain, [&](std::int64_t begin, std::int64_t end) {
    const auto piece = vectorized(largest_of, x.data() + begin, end - begin);
    const std::scoped_lock lock(mutex);
    largest = std::max(largest, piece);
  });
  return std::bit_cast<float>(largest);
}

void encode_levels(std::span<const float> x, const Levels& levels, const Draws& draws,
                   std::int64_t first, std::span<std::uint8_t> codes) {
  internal_check(x.size() == codes.size() && first % Draws::kBlock == 0,
                 "levels: expected one code per value and a first index that is a multiple of {}; "
                 "got {} values, {} codes and first index {}",
                 Draws::kBlock, x.size(), codes.size(), first);
  if (levels.norm == 0 || !std::isfinite(levels.norm)) {
    std::ranges::fill(codes, std::uint8_t{0});
    return;
  }
  const bool tiny = levels.norm < kLeastNorm;
  parallel_for(std::ssize(x), kGrain, [&](std::int64_t begin, std::int64_t end) {
    Draws::Upper upper;
    for (auto at = begin; at < end; at += Draws::kRun) {
      const auto n = std::min(Draws::kRun, end - at), blocks = n / Draws::kBlock;
      const auto run = x.subspan(at, n);
      const auto to = codes.subspan(at, n);
      draws.upper(first + at, n, upper);
      auto untold =
          TERSE_DISPATCH(encode_run_at_level)(run.data(), levels, upper, blocks, to.data());
      if (tiny) untold = ~0U;
      const auto tell = [&](std::int64_t from, std::int64_t stop) {
        for (auto i = from; i < stop; ++i) {
          to[i] = exact_code(run[i], levels, upper[i], draws, first + at + i);
        }
      };
      for (; untold != 0; untold &= untold - 1) {
        const auto from = std::countr_zero(untold) * kHalf;
        tell(from, std::min(from + kHalf, n));
      }
      tell(blocks * Draws::kBlock, n);
    }
  });
}

void add_levels(std::span<const std::uint8_t> codes, int levels, float step, std::span<float> out) {
  internal_check(codes.size() == out.size(),
                 "levels: expected one code per value; got {} codes and {} values", codes.size(),
                 out.size());
  const int sign_bit = level_bits(levels);
  parallel_for(std::ssize(out), kGrain, [&](std::int64_t begin, std::int64_t end) {
    TERSE_DISPATCH(add_levels_at_level)
    (codes.data() + begin, sign_bit, step, end - begin, out.data() + begin);
  });
}

int largest_level(std::span<const std::uint8_t> codes, int levels) {
  return vectorized(
      [](const std::uint8_t* from, std::size_t n, int mask) {
        int largest = 0;
        for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, from[i] & mask);
        return largest;
      },
      codes.data(), codes.size(), (1 << level_bits(levels)) - 1);
}

}  // namespace terse::kernels
#endif
