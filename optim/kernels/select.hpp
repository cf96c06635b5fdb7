// Exact selection of the largest magnitudes; ties go to the lowest index.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "core/parallel.hpp"
#include "optim/kernels/vector.hpp"

namespace terse::codec {

// Integers in the order of |x|: the bits of the magnitude; |NaN| counts as infinity.
void magnitude_keys(std::span<const float> x, std::span<std::uint32_t> keys);

// What pieces of a parallel loop have found: room that is used again, for pages that a loop asks
// for anew in every step cost more than the loop.
template <class Item>
using Found = std::vector<std::vector<Item>>;

// Selects k of the largest, 0 <= k <= their number, and appends first + i, ascending, for each i
// among them. Keeps room from one call to the next, and nothing else.
class LargestSelector {
 public:
  // The largest |x_i|.
  void select(std::span<const float> x, std::int64_t k, std::uint32_t first,
              std::vector<std::uint32_t>& indices);
  // The largest keys.
  void select(std::span<const std::uint32_t> keys, std::int64_t k, std::uint32_t first,
              std::vector<std::uint32_t>& indices);
  // The largest |x_i| of x = keep x + g, which is written in the pass that looks for them.
  void feed_and_select(std::span<const float> g, float keep, std::span<float> x, std::int64_t k,
                       std::uint32_t first, std::vector<std::uint32_t>& indices);

 private:
  template <class Key, class Word>
  void collect(std::int64_t n, Key key, Word word);
  template <class Key, class AtLeast>
  void find_candidates(std::int64_t n, std::int64_t k, Key key, AtLeast at_least);
  std::uint64_t kth_candidate(std::int64_t k);
  void append_largest(std::int64_t k, std::uint32_t first, std::vector<std::uint32_t>& indices);

  Found<std::uint64_t> found_;
  std::vector<std::uint64_t> candidates_, order_;
  std::vector<std::uint32_t> sample_;
};

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
void select_bits(std::int64_t n, Word word, Make item, Found<Item>& pieces,
                 std::vector<Item>& items) {
  const auto count = static_cast<std::size_t>((n + kGrain - 1) / kGrain);
  if (pieces.size() < count) pieces.resize(count);
  parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    auto& found = pieces[static_cast<std::size_t>(begin / kGrain)];
    found.clear();
    const auto append = [&](std::int64_t i, std::uint32_t bits) {
      for (; bits != 0; bits &= bits - 1) found.push_back(item(i + std::countr_zero(bits)));
    };
    auto i = begin;
    for (; i + kSelectBits <= end; i += kSelectBits) append(i, word(i, kSelectBits));
    if (i < end) append(i, word(i, end - i));
  });
  for (std::size_t p = 0; p < count; ++p) {
    items.insert(items.end(), pieces[p].begin(), pieces[p].end());
  }
}

// Appends first + i, ascending, for each i in 0 … n-1 of which predicate(i) holds.
template <class Predicate>
void select_if(std::int64_t n, std::uint32_t first, Predicate predicate,
               Found<std::uint32_t>& pieces, std::vector<std::uint32_t>& indices) {
  select_bits(
      n,
      [&](std::int64_t i, std::int64_t values) {
        return bits_where(values, [&](std::int64_t b) { return predicate(i + b); });
      },
      [first](std::int64_t i) { return first + static_cast<std::uint32_t>(i); }, pieces, indices);
}

}  // namespace terse::codec
