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

// The level of x in fixed point, exactly s at the norm. Magnitudes are compared as integers, which
// GCC vectorises; NaN is the largest of them, and so at the limit.
float in_units(float x, std::uint32_t limit, float norm, float scale) {
  const auto magnitude = std::min(std::bit_cast<std::uint32_t>(x) & kMagnitude, limit);
  return std::bit_cast<float>(magnitude) / norm * scale;
}

// 64 values by the upper bits of their draws alone; tells whether any of those did not decide.
bool encode_block(const float* x, std::uint32_t limit, float norm, float scale, int sign_bit,
                  const Draws::Upper& upper, std::uint8_t* codes) {
  constexpr auto kHalf = Draws::Upper::kHalf;
  std::int32_t ties = 0;
  for (std::int64_t h = 0; h < 2; ++h, x += kHalf, codes += kHalf) {
    const auto draws = upper.half(h);
    for (std::int64_t i = 0; i < kHalf; ++i) {
      const auto units = static_cast<std::int32_t>(in_units(x[i], limit, norm, scale));
      const auto draw = static_cast<std::int32_t>(draws[i]), rest = units & 0xffff;
      const auto level = (units >> 16) + std::int32_t{draw < rest};
      const auto minus = std::bit_cast<std::uint32_t>(x[i]) >> 31;
      ties |= std::int32_t{draw == rest};
      codes[i] = static_cast<std::uint8_t>(static_cast<std::uint32_t>(level) | minus << sign_bit);
    }
  }
  return ties != 0;
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
  const int sign_bit = level_bits(levels.levels);
  const float scale = kUnit * static_cast<float>(levels.levels);
  const auto limit = std::bit_cast<std::uint32_t>(std::min(levels.norm, levels.limit));
  parallel_for(std::ssize(x), kGrain, [&](std::int64_t begin, std::int64_t end) {
    Draws::Upper upper;
    std::array<std::uint8_t, Draws::kBlock> last_codes;
    std::array<float, Draws::kBlock> last{};
    for (auto at = begin; at < end; at += Draws::kBlock) {
      draws.upper(first + at, upper);
      const auto n = std::min(Draws::kBlock, end - at);
      const float* from = x.data() + at;
      std::uint8_t* to = codes.data() + at;
      if (n < Draws::kBlock) {
        from = std::copy_n(from, n, last.begin()) - n;
        to = last_codes.data();
      }
      if (encode_block(from, limit, levels.norm, scale, sign_bit, upper, to)) {
        for (std::int64_t i = 0; i < n; ++i) {
          const float units = in_units(from[i], limit, levels.norm, scale),
                      whole = std::floor(units);
          if ((static_cast<std::uint32_t>(whole) & 0xffff) != upper[i]) continue;
          const auto rest = static_cast<std::uint32_t>((units - whole) * kUnit);
          if (draws.lower(first + at + i) < rest) ++to[i];
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
