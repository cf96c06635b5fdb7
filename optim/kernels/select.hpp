// Exact selection of the largest magnitudes; ties go to the lowest index.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/parallel.hpp"
#include "optim/kernels/vector.hpp"

namespace terse::codec {

// Integers in the order of |x|: the bits of the magnitude; |NaN| counts as infinity.
void magnitude_keys(std::span<const float> x, std::span<std::uint32_t> keys);

// Appends first + i, ascending, for each i among the k largest |x_i| or keys, 0 <= k <= their
// number.
void select_largest(std::span<const float> x, std::int64_t k, std::uint32_t first,
                    std::vector<std::uint32_t>& indices);
void select_largest(std::span<const std::uint32_t> keys, std::int64_t k, std::uint32_t first,
                    std::vector<std::uint32_t>& indices);
// The same of x = keep x + g, which is written in the pass that looks for large values.
void feed_and_select_largest(std::span<const float> g, float keep, std::span<float> x,
                             std::int64_t k, std::uint32_t first,
                             std::vector<std::uint32_t>& indices);

inline constexpr std::int64_t kSelectBits = 32;

// Bit b is predicate(b), for b < n <= 32. A whole word is a loop that GCC vectorises.
template <class Predicate>
std::uint32_t bits_where(std::int64_t n, Predicate predicate) {
  std::uint32_t word = 0;
  if (n == kSelectBits) {
    for (std::int64_t b = 0; b < kSelectBits; ++b) word |= std::uint32_t{predicate(b)} << b;
  } else {
    for (std::int64_t b = 0; b < n; ++b) word |= std::uint32_t{predicate(b)} << b;
  }
  return word;
}

// Appends item(i + b), ascending, for each set bit b of word(i, n), which says it of n values from
// i on; i is a multiple of 32 and n is 32, but for the last. Words are asked for once each.
template <class Word, class Make, class Item>
void select_bits(std::int64_t n, Word word, Make item, std::vector<Item>& items) {
  const auto count = static_cast<std::size_t>((n + kGrain - 1) / kGrain);
  std::vector<std::vector<Item>> pieces(count);
  parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    std::vector<Item> found;
    const auto append = [&](std::int64_t i, std::uint32_t bits) {
      for (; bits != 0; bits &= bits - 1) found.push_back(item(i + std::countr_zero(bits)));
    };
    auto i = begin;
    for (; i + kSelectBits <= end; i += kSelectBits) append(i, word(i, kSelectBits));
    if (i < end) append(i, word(i, end - i));
    pieces[static_cast<std::size_t>(begin / kGrain)] = std::move(found);
  });
  for (const auto& found : pieces) items.insert(items.end(), found.begin(), found.end());
}

// Appends first + i, ascending, for each i in 0 … n-1 of which predicate(i) holds.
template <class Predicate>
void select_if(std::int64_t n, std::uint32_t first, Predicate predicate,
               std::vector<std::uint32_t>& indices) {
  select_bits(
      n,
      [&](std::int64_t i, std::int64_t values) {
        return bits_where(values, [&](std::int64_t b) { return predicate(i + b); });
      },
      [first](std::int64_t i) { return first + static_cast<std::uint32_t>(i); }, indices);
}

}  // namespace terse::codec
