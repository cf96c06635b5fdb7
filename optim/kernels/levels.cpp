#include "optim/kernels/levels.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <mutex>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "optim/kernels/vector.hpp"

namespace terse::codec {
namespace {

constexpr float kUnit = 65536;  // a level in 16.16 fixed point

constexpr std::uint32_t kMagnitude = 0x7fffffff;

// |x| s / norm by a product, in 16.16 fixed point. The factor and the product are each off by 2^-24
// of themselves at most, so of 127 · 2^16 units by less than one. The upper bits of a draw that is
// further than one unit from what is above the level say what exact arithmetic would.
class FixedPoint {
 public:
  explicit FixedPoint(const Levels& levels)
      : lift_(levels.norm < 0x1p-64F ? 0x1p64F : 1),
        factor_(kUnit * static_cast<float>(levels.levels) / (levels.norm * lift_)),
        sign_bit_(level_bits(levels.levels)),
        // Magnitudes are compared as integers, which GCC vectorises; NaN is the largest of them.
        limit_(levels.limit < levels.norm
                   ? std::bit_cast<std::uint32_t>(levels.limit * lift_ * factor_)
                   : std::bit_cast<std::uint32_t>(kUnit * static_cast<float>(levels.levels))) {}

  // In the upper half the code's level: one more where the draw is below the part is a carry. The
  // lower half is how far it is below.
  std::uint32_t sum(std::uint32_t bits, std::uint32_t draw) const {
    const float units = std::bit_cast<float>(bits & kMagnitude) * lift_ * factor_;
    const float cut = std::bit_cast<float>(std::min(std::bit_cast<std::uint32_t>(units), limit_));
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(cut)) + (0xffffU - draw);
  }
  // kClose or more if the draw is one unit below the part, at it or one above it.
  static std::uint32_t closeness(std::uint32_t sum) { return (sum - 1) & 0xffffU; }
  static constexpr std::uint32_t kClose = 0xfffd;

  // The codes of 64 values; the largest closeness of their draws.
  std::uint32_t encode(const float* x, const Draws::Upper& upper, std::int64_t half,
                       std::uint8_t* codes) const {
    constexpr auto kHalf = Draws::Upper::kHalf;
    const auto self = *this;  // in registers: codes may be anything
    std::array<std::uint32_t, Draws::kBlock> wide;
    std::uint32_t closest = 0;
    for (std::int64_t h = 0; h < 2; ++h) {
      const auto draws = upper.half(half + h);
      for (std::int64_t i = 0; i < kHalf; ++i) {
        const auto bits = std::bit_cast<std::uint32_t>(x[h * kHalf + i]);
        const auto sum = self.sum(bits, draws[i]);
        wide[h * kHalf + i] = sum >> 16 | bits >> 31 << self.sign_bit_;
        closest = std::max(closest, closeness(sum));
      }
    }
    for (std::size_t i = 0; i < wide.size(); ++i) codes[i] = static_cast<std::uint8_t>(wide[i]);
    return closest;
  }

 private:
  float lift_, factor_;  // two, for the quotient by a tiny norm has no float
  int sign_bit_;
  std::uint32_t limit_;
};

// The code of one value by all bits of its draw, exactly.
std::uint8_t exact_code(float x, const Levels& levels, std::uint32_t draw) {
  const auto limit = std::bit_cast<std::uint32_t>(std::min(levels.norm, levels.limit));
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const double level = double{std::bit_cast<float>(std::min(bits & kMagnitude, limit))} *
                       levels.levels / double{levels.norm};
  const double below = std::floor(level);
  const auto code = static_cast<std::uint32_t>(below) + (draw < (level - below) * 0x1p32 ? 1U : 0U);
  return static_cast<std::uint8_t>(code | bits >> 31 << level_bits(levels.levels));
}

}  // namespace

float largest_magnitude(std::span<const float> x) {
  // As integers, so that NaN is the largest.
  std::uint32_t largest = 0;
  std::mutex mutex;
  parallel_for(std::ssize(x), kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::uint32_t piece = 0;
    for (auto i = begin; i < end; ++i) {
      piece = std::max(piece, std::bit_cast<std::uint32_t>(x[i]) & kMagnitude);
    }
    const std::scoped_lock lock(mutex);
    largest = std::max(largest, piece);
  });
  return std::bit_cast<float>(largest);
}

void encode_levels(std::span<const float> x, const Levels& levels, const Draws& draws,
                   std::int64_t first, std::span<std::uint8_t> codes) {
  internal_check(x.size() == codes.size() && first % Draws::kBlock == 0,
                 "levels: {} values from {} on meet {} codes", x.size(), first, codes.size());
  if (levels.norm == 0 || !std::isfinite(levels.norm)) {
    std::ranges::fill(codes, std::uint8_t{0});
    return;
  }
  const FixedPoint fixed(levels);
  parallel_for(std::ssize(x), kGrain, [&](std::int64_t begin, std::int64_t end) {
    Draws::Upper upper;
    std::array<std::uint8_t, Draws::kBlock> last_codes;
    std::array<float, Draws::kBlock> last{};
    for (auto at = begin; at < end; at += Draws::kBlock) {
      const auto in_run = (at - begin) % Draws::kRun;
      if (in_run == 0) draws.upper(first + at, end - at, upper);
      const auto n = std::min(Draws::kBlock, end - at);
      const float* from = x.data() + at;
      std::uint8_t* to = codes.data() + at;
      if (n < Draws::kBlock) {
        from = std::copy_n(from, n, last.begin()) - n;
        to = last_codes.data();
      }
      if (fixed.encode(from, upper, in_run / Draws::Upper::kHalf, to) >= FixedPoint::kClose) {
        for (std::int64_t i = 0; i < n; ++i) {
          const auto draw = upper[in_run + i];
          const auto sum = fixed.sum(std::bit_cast<std::uint32_t>(from[i]), draw);
          if (FixedPoint::closeness(sum) < FixedPoint::kClose) continue;
          to[i] = exact_code(from[i], levels, draw << 16 | draws.lower(first + at + i));
        }
      }
      if (n < Draws::kBlock) std::copy_n(last_codes.begin(), n, codes.begin() + at);
    }
  });
}

void add_levels(std::span<const std::uint8_t> codes, int levels, float step, std::span<float> out) {
  internal_check(codes.size() == out.size(), "levels: {} codes for {} values", codes.size(),
                 out.size());
  const int sign_bit = level_bits(levels), mask = (1 << sign_bit) - 1;
  parallel_for(std::ssize(out), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const int code = codes[i];
      const auto level = static_cast<float>(code & mask);
      out[i] += (code >> sign_bit != 0 ? -step : step) * level;
    }
  });
}

int largest_level(std::span<const std::uint8_t> codes, int levels) {
  const int mask = (1 << level_bits(levels)) - 1;
  int largest = 0;
  for (const int code : codes) largest = std::max(largest, code & mask);
  return largest;
}

}  // namespace terse::codec
