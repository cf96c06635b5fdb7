#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/optim/kernels/bits.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/optim/kernels/bits.hpp"

#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/optim/kernels/lanes-inl.hpp"

#ifndef TERSE_OPTIM_KERNELS_BITS_ONCE
#define TERSE_OPTIM_KERNELS_BITS_ONCE
namespace terse::kernels {
using SignPlanes = std::span<const std::span<const std::uint32_t>>;
}  // namespace terse::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

// The sums of 32 values, held in registers. Bit i of a plane's word is shifted to the sign bit of a
// float lane, which selects between the scale and its negative.
HWY_INLINE void sum_word(SignPlanes negative, std::int64_t bit, std::span<const float> scales,
                         float* values) {
  constexpr hn::RebindToUnsigned<Lanes> bits;
  constexpr std::uint32_t kVectors = kWordBits / kWidth;
  FloatVector sums[kVectors];
  hn::Vec<decltype(bits)> to_sign[kVectors];
  for (std::uint32_t v = 0; v < kVectors; ++v) {
    sums[v] = hn::Zero(kLanes);
    to_sign[v] =
        hn::Sub(hn::Set(bits, 31 - v * static_cast<std::uint32_t>(kWidth)), hn::Iota(bits, 0));
  }
  for (std::size_t p = 0; p < negative.size(); ++p) {
    const auto word = hn::Set(bits, bits_from(negative[p], bit));
    const auto plus = hn::Set(kLanes, scales[p]), minus = hn::Set(kLanes, -scales[p]);
    for (std::uint32_t v = 0; v < kVectors; ++v) {
      const auto chosen = hn::BitCast(kLanes, hn::Shl(word, to_sign[v]));
      sums[v] = hn::Add(sums[v], hn::IfNegativeThenElse(chosen, minus, plus));
    }
  }
  for (std::uint32_t v = 0; v < kVectors; ++v) hn::StoreU(sums[v], kLanes, values + v * kWidth);
}

}  // namespace

// The sums of 32 · words values.
void sum_words_at_level(SignPlanes negative, std::int64_t bit, std::span<const float> scales,
                        std::int64_t words, float* values) {
  for (std::int64_t w = 0; w < words; ++w) {
    sum_word(negative, bit + w * kWordBits, scales, values + w * kWordBits);
  }
}

// Bit b of negative[w] is x[32 w + b] < 0, and that of zero[w] is x[32 w + b] == 0. Returns whether
// any value is zero.
bool compare_to_zero_at_level(const float* x, std::int64_t words, std::uint32_t* negative,
                              std::uint32_t* zero) {
  std::uint32_t any = 0;
  for (std::int64_t w = 0; w < words; ++w, x += kWordBits) {
    negative[w] = compare_word(kWordBits, [x](auto d, std::int64_t b) {
      return hn::Lt(hn::LoadU(d, x + b), hn::Zero(d));
    });
    zero[w] = compare_word(kWordBits, [x](auto d, std::int64_t b) {
      return hn::Eq(hn::LoadU(d, x + b), hn::Zero(d));
    });
    any |= zero[w];
  }
  return any != 0;
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(sum_words_at_level);
HWY_EXPORT(compare_to_zero_at_level);

namespace {

// Calls body(i) for 0 <= i < n <= 32. The loop for n = 32 has a constant length, so that GCC
// vectorises it.
template <class Body>
void for_bits(std::int64_t n, Body body) {
  if (n == kWordBits) {
    for (std::int64_t i = 0; i < kWordBits; ++i) body(i);
  } else {
    for (std::int64_t i = 0; i < n; ++i) body(i);
  }
}

float signed_scale(std::uint32_t word, std::int64_t i, float scale) {
  return (word >> i & 1U) != 0 ? -scale : scale;
}

}  // namespace

void pack_negative(std::span<const float> x, std::int64_t at, std::span<std::uint32_t> plane) {
  pack_if(x, at, plane, [](float value) { return value < 0; });
}

void pack_negative_or_toss(std::span<const float> x, std::int64_t at, const Coins& coins,
                           std::int64_t first, std::span<std::uint32_t> plane) {
  constexpr std::int64_t kBlock = 64;  // words whose coins are computed together
  const auto n = std::ssize(x);
  const auto set_bit = [&](std::int64_t i) {
    const auto bit = at + i;
    const auto minus = x[i] == 0 ? coins.from(first + bit) & 1U : std::uint32_t{x[i] < 0};
    plane[bit / kWordBits] |= minus << (bit % kWordBits);
  };
  const auto head = std::min(n, (kWordBits - at % kWordBits) % kWordBits);
  const auto whole_words = (n - head) / kWordBits;
  for (std::int64_t i = 0; i < head; ++i) set_bit(i);
  parallel_for(whole_words, kGrain / kWordBits, [&](std::int64_t begin, std::int64_t end) {
    std::array<std::uint32_t, kBlock> zero, tossed;
    for (; begin < end; begin += kBlock) {
      const auto words = std::min(kBlock, end - begin);
      const auto value = head + begin * kWordBits, bit = at + value;
      const auto to = plane.subspan(bit / kWordBits, words);
      const bool toss =
          TERSE_DISPATCH(compare_to_zero_at_level)(x.data() + value, words, to.data(), zero.data());
      if (!toss) continue;
      coins.from(first + bit, std::span(tossed).first(words));
      for (std::int64_t w = 0; w < words; ++w) to[w] |= zero[w] & tossed[w];
    }
  });
  for (std::int64_t i = head + whole_words * kWordBits; i < n; ++i) set_bit(i);
}

void pack_nonzero(std::span<const float> x, std::int64_t at, std::span<std::uint32_t> plane) {
  pack_if(x, at, plane, [](float value) { return value != 0; });
}

void unpack_signs(std::span<const std::uint32_t> negative, std::int64_t at, float scale,
                  std::span<float> out) {
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    const auto word = bits_from(negative, bit);
    for_bits(n, [=](std::int64_t i) { values[i] = signed_scale(word, i, scale); });
  });
}

void add_signs(std::span<const std::uint32_t> negative, std::int64_t at, float scale,
               std::span<float> out) {
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    const auto word = bits_from(negative, bit);
    for_bits(n, [=](std::int64_t i) { values[i] += signed_scale(word, i, scale); });
  });
}

void sum_signs(std::span<const std::span<const std::uint32_t>> negative, std::int64_t at,
               std::span<const float> scales, std::span<float> out) {
  const auto whole = std::ssize(out) / kWordBits;
  parallel_for(whole, kGrain / kWordBits, [&](std::int64_t begin, std::int64_t end) {
    TERSE_DISPATCH(sum_words_at_level)
    (negative, at + begin * kWordBits, scales, end - begin, out.data() + begin * kWordBits);
  });
  for (auto i = whole * kWordBits; i < std::ssize(out); ++i) {
    out[i] = 0;
    for (std::size_t p = 0; p < negative.size(); ++p) {
      out[i] += signed_scale(bits_from(negative[p], at + whole * kWordBits), i - whole * kWordBits,
                             scales[p]);
    }
  }
}

void unpack_ternary(std::span<const std::uint32_t> nonzero, std::span<const std::uint32_t> negative,
                    std::int64_t at, std::span<float> out) {
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    const auto some = bits_from(nonzero, bit);
    const auto minus = bits_from(negative, bit);
    for_bits(n, [=](std::int64_t i) {
      const float sign = (minus >> i & 1U) != 0 ? -1.0F : 1.0F;
      values[i] = (some >> i & 1U) != 0 ? sign : 0.0F;
    });
  });
}

void add_ternary(std::span<const std::uint32_t> nonzero, std::span<const std::uint32_t> negative,
                 std::int64_t at, float scale, std::span<float> out) {
  const float zero = 0 * scale;  // NaN if the scale is infinite or NaN
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    const auto some = bits_from(nonzero, bit);
    const auto minus = bits_from(negative, bit);
    for_bits(n, [=](std::int64_t i) {
      const float signed_scale = (minus >> i & 1U) != 0 ? -scale : scale;
      values[i] += (some >> i & 1U) != 0 ? signed_scale : zero;
    });
  });
}

}  // namespace terse::kernels
#endif
