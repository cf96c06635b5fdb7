#include "tersegrad/optim/kernels/stochastic_sign.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/kernels/bits.hpp"

namespace terse::kernels {
namespace {

constexpr std::uint32_t kSign = 0x80000000, kMagnitude = ~kSign;
constexpr float kUnit = 65536;  // number of values of the upper bits of a draw

// How many of the 65536 values of the upper bits mean "negative". The lower bits decide for the
// fractional part.
float minus_units(float x, std::uint32_t limit, float bound) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  // Magnitudes are compared as integers, which GCC vectorises.
  const float share = std::bit_cast<float>(std::min(bits & kMagnitude, limit)) / bound;
  const float half =
      0.5F * std::bit_cast<float>(std::bit_cast<std::uint32_t>(share) | (bits & kSign));
  return kUnit * (0.5F - half);
}

// The signs of 32 values, decided by the upper bits of their draws, or by the lower bits in case of
// a tie.
std::uint32_t draw_signs(const float* x, std::int64_t first, std::uint32_t limit, float bound,
                         const Draws& draws, const Draws::Upper::Half& upper) {
  std::uint32_t minus = 0, ties = 0;
  for (std::uint32_t i = 0; i < kWordBits; ++i) {
    const auto units = static_cast<std::int32_t>(minus_units(x[i], limit, bound));
    const auto draw = static_cast<std::int32_t>(upper[i]);
    minus |= std::uint32_t{draw < units} << i;
    ties |= std::uint32_t{draw == units} << i;
  }
  for (; ties != 0; ties &= ties - 1) {
    const auto i = std::countr_zero(ties);
    const float units = minus_units(x[i], limit, bound);
    const float rest = kUnit * (units - static_cast<float>(static_cast<std::int32_t>(units)));
    minus |= std::uint32_t{static_cast<float>(draws.lower(first + i)) < rest} << i;
  }
  return minus;
}

}  // namespace

void pack_stochastic(std::span<const float> x, float bound, const Draws& draws, std::int64_t at,
                     std::span<std::uint32_t> plane) {
  if (bound == 0) return;
  const bool coins = !std::isfinite(bound);
  const std::uint32_t limit = coins ? 0 : std::bit_cast<std::uint32_t>(bound);
  const float divisor = coins ? 1 : bound;
  const auto n = std::ssize(x);
  std::vector<std::uint32_t> words(static_cast<std::size_t>(words_for(n) + 1));
  vectorized_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    Draws::Upper upper;
    std::array<float, Draws::kBlock> last{};
    for (auto i = begin; i < end; i += Draws::kBlock) {
      const auto here = std::min(Draws::kBlock, end - i);
      const float* from = x.data() + i;
      if (here < Draws::kBlock) from = std::copy_n(from, here, last.begin()) - here;
      if (i % Draws::kRun == 0) draws.upper(i, end - i, upper);
      for (std::int64_t h = 0; h < 2; ++h) {
        const auto skip = h * kWordBits;
        auto bits = draw_signs(from + skip, i + skip, limit, divisor, draws,
                               upper.half(i % Draws::kRun / kWordBits + h));
        if (here < skip + kWordBits) {
          bits &= static_cast<std::uint32_t>(
              (std::uint64_t{1} << std::max<std::int64_t>(0, here - skip)) - 1);
        }
        words[static_cast<std::size_t>(i / kWordBits + h)] = bits;
      }
    }
  });
  // Tensors that are neighbours in the plane share a word, so the words are shifted and ORed in.
  const auto shift = at % kWordBits;
  for (std::int64_t w = 0; w < words_for(n); ++w) {
    const auto pair = std::uint64_t{words[static_cast<std::size_t>(w)]} << shift;
    const auto to = static_cast<std::size_t>(at / kWordBits + w);
    plane[to] |= static_cast<std::uint32_t>(pair);
    if (pair >> kWordBits != 0) plane[to + 1] |= static_cast<std::uint32_t>(pair >> kWordBits);
  }
}

}  // namespace terse::kernels
