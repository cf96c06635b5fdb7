// Bit planes: bit i of a plane is bit i % 32 of its word i / 32. The tensors of a bucket lie in a
// plane one after the other, so a tensor may begin at any bit `at`.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/kernels/coins.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse::kernels {

inline constexpr std::int64_t kWordBits = 32;

// The number of 32-bit words that hold `bits` bits.
constexpr std::int64_t words_for(std::int64_t bits) {
  return (bits + kWordBits - 1) / kWordBits;
}

// The 32 bits that begin at bit `at`; bits beyond the last word are zero.
inline std::uint32_t bits_from(std::span<const std::uint32_t> plane, std::int64_t at) {
  const auto word = static_cast<std::size_t>(at / kWordBits);
  std::uint64_t pair = plane[word];
  if (word + 1 < plane.size()) pair |= std::uint64_t{plane[word + 1]} << kWordBits;
  return static_cast<std::uint32_t>(pair >> (at % kWordBits));
}

// The signs of 32 values: bit i is set if x[i] < 0.
inline std::uint32_t negative_bits(const float* x) {
  std::uint32_t word = 0;
  for (std::uint32_t bit = 0; bit < kWordBits; ++bit) word |= std::uint32_t{x[bit] < 0} << bit;
  return word;
}

// Sets bit at + i to predicate(x[i]). The caller must zero the plane before it packs the first
// tensor. `x` may be a span of any type.
template <class Values, class Predicate>
void pack_if(const Values& x, std::int64_t at, std::span<std::uint32_t> plane,
             Predicate predicate) {
  const auto n = std::ssize(x);
  const auto set_bit = [&](std::int64_t i) {
    plane[(at + i) / kWordBits] |= std::uint32_t{predicate(x[i])} << ((at + i) % kWordBits);
  };
  const auto head = std::min(n, (kWordBits - at % kWordBits) % kWordBits);
  const auto whole_words = (n - head) / kWordBits;
  for (std::int64_t i = 0; i < head; ++i) set_bit(i);
  std::uint32_t* to = plane.data() + (at + head) / kWordBits;
  const auto* first = x.data() + head;
  vectorized_for(whole_words, kGrain / kWordBits, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t w = begin; w < end; ++w) {
      const auto* from = first + w * kWordBits;
      std::uint32_t word = 0;
      for (std::uint32_t bit = 0; bit < kWordBits; ++bit) {
        word |= std::uint32_t{predicate(from[bit])} << bit;
      }
      to[w] = word;
    }
  });
  for (std::int64_t i = head + whole_words * kWordBits; i < n; ++i) set_bit(i);
}

// Calls body(values, n, bit) in parallel for consecutive groups of n <= 32 values; `bit` is the bit
// of the first value. The body is compiled for every SIMD level.
template <class Body>
void for_each_word(std::int64_t at, std::span<float> out, Body body) {
  const auto n = std::ssize(out);
  vectorized_for(words_for(n), kGrain / kWordBits, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t w = begin; w < end; ++w) {
      const auto i = w * kWordBits;
      body(out.data() + i, std::min(kWordBits, n - i), at + i);
    }
  });
}

// Sets bit at + i to x[i] < 0. In sign planes, a set bit means negative; NaN, +0 and -0 count as
// positive.
void pack_negative(std::span<const float> x, std::int64_t at, std::span<std::uint32_t> plane);
// Like pack_negative, but the bit of a zero is the coin of coordinate first + at + i. Coins are
// computed only for blocks of values that contain a zero.
void pack_negative_or_toss(std::span<const float> x, std::int64_t at, const Coins& coins,
                           std::int64_t first, std::span<std::uint32_t> plane);
// Sets bit at + i to x[i] != 0, which is true for NaN.
void pack_nonzero(std::span<const float> x, std::int64_t at, std::span<std::uint32_t> plane);

// out[i] = +scale or -scale
void unpack_signs(std::span<const std::uint32_t> negative, std::int64_t at, float scale,
                  std::span<float> out);
// out[i] += +scale or -scale
void add_signs(std::span<const std::uint32_t> negative, std::int64_t at, float scale,
               std::span<float> out);
// out[i] = sum over planes p of +scales[p] or -scales[p], added in the order of the planes
void sum_signs(std::span<const std::span<const std::uint32_t>> negative, std::int64_t at,
               std::span<const float> scales, std::span<float> out);
// out[i] = +1, -1 or 0
void unpack_ternary(std::span<const std::uint32_t> nonzero, std::span<const std::uint32_t> negative,
                    std::int64_t at, std::span<float> out);
// out[i] = value(c_i), where bit p of the integer c_i is bit at + i of planes[p]
template <class Value>
void unpack_counts(std::span<const std::span<const std::uint32_t>> planes, std::int64_t at,
                   Value value, std::span<float> out) {
  for_each_word(at, out, [&](float* values, std::int64_t n, std::int64_t bit) {
    std::array<std::uint32_t, kWordBits> counts{};
    for (std::size_t p = 0; p < planes.size(); ++p) {
      const auto word = bits_from(planes[p], bit);
      for (std::uint32_t i = 0; i < kWordBits; ++i) counts[i] |= (word >> i & 1U) << p;
    }
    for (std::int64_t i = 0; i < n; ++i) values[i] = value(counts[static_cast<std::size_t>(i)]);
  });
}
// out[i] += +scale, -scale or 0 · scale, which is NaN if the scale is infinite or NaN
void add_ternary(std::span<const std::uint32_t> nonzero, std::span<const std::uint32_t> negative,
                 std::int64_t at, float scale, std::span<float> out);

}  // namespace terse::kernels
