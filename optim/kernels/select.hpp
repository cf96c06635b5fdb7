// Exact selection of the k largest magnitudes. Ties are resolved in favour of the lower index.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/core/simd/vectorized.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse::kernels {

// bits[i] = the bits of |x[i]|, which are ordered as the magnitudes are. NaN counts as infinity.
void magnitude_bits(std::span<const float> x, std::span<std::uint32_t> bits);

// The items found by each piece of a parallel loop, in lists of their own. The memory is reused
// between calls, because allocating fresh pages in every step costs more than the loop itself.
template <class Item>
using Found = std::vector<std::vector<Item>>;

// Selects the k = indices.size() largest of n values, k <= n. Writes first + i to `indices` for
// each selected i, in ascending order, and x_i to `values`. The object only holds memory that is
// reused between calls.
//
// The four steps (sample, threshold, candidates, exact k) are explained in select.cpp.
class LargestSelector {
 public:
  // Selects the largest |x_i|.
  void select(std::span<const float> x, std::uint32_t first, std::span<std::uint32_t> indices,
              std::span<float> values);
  // Selects the largest magnitudes, given as computed by magnitude_bits, with first = 0.
  void select(std::span<const std::uint32_t> magnitudes, std::span<std::uint32_t> indices);
  // Sets x = keep x + g and selects the largest |x_i|, in one pass over x. With `remove_selected`,
  // it then subtracts the selected values from x.
  void accumulate_and_select(std::span<const float> g, float keep, std::span<float> x,
                             bool remove_selected, std::uint32_t first,
                             std::span<std::uint32_t> indices, std::span<float> values);

 private:
  struct Candidate {
    std::uint32_t bits, index;  // the bits of x_i, or of its magnitude; i
    std::uint64_t sort_key() const;
  };

  template <class Magnitude, class Search, class SearchAgain>
  void find_candidates(std::int64_t n, std::int64_t k, Magnitude magnitude, Search search,
                       SearchAgain search_again);
  template <class Drop>
  void keep_largest(std::int64_t k, Drop drop);
  void write(std::uint32_t first, std::span<std::uint32_t> indices, std::span<float> values) const;
  template <class Body>
  void for_each_candidate(Body body) const;

  Found<Candidate> candidates_;
  std::size_t pieces_used_ = 0;  // the first entries of candidates_; all in them ascend by index
  std::vector<Candidate> dropped_;
  std::vector<std::uint64_t> scratch_;
  std::vector<std::uint32_t> sample_;
};

inline constexpr std::int64_t kSelectBits = 32, kSelectBlock = 1024;
using SelectWords = std::array<std::uint32_t, kSelectBlock / kSelectBits>;

// Bit b of the result is predicate(b), b < n <= 32. GCC vectorises the loop of a whole word.
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

// Sets bit i - begin of `words` to predicate(i) for each i of the block [begin, end).
template <class Predicate>
void mark_where(std::int64_t begin, std::int64_t end, Predicate predicate, SelectWords& words) {
  for (auto i = begin; i < end; i += kSelectBits) {
    words[static_cast<std::size_t>((i - begin) / kSelectBits)] = bits_where(
        std::min(kSelectBits, end - i), [&](std::int64_t b) { return predicate(i + b); });
  }
}

// Writes each i of the block whose bit is set to `indices`, in ascending order, and returns their
// number. The first entry of each word is written unconditionally: most words have no set bit or
// one, and a branch on it would be mispredicted often.
inline std::size_t list_marked(std::int64_t begin, std::int64_t end, const SelectWords& words,
                               std::array<std::int64_t, kSelectBlock + 1>& indices) {
  std::size_t count = 0;
  for (auto i = begin; i < end; i += kSelectBits) {
    auto bits = words[static_cast<std::size_t>((i - begin) / kSelectBits)];
    indices[count] = i + std::countr_zero(bits | 1U << 31);  // the argument is nonzero: no branch
    count += bits != 0;
    for (bits &= bits - 1; bits != 0; bits &= bits - 1) {
      indices[count++] = i + std::countr_zero(bits);
    }
  }
  return count;
}

// Collects item(i) for each i in 0 … n-1 that is marked, in ascending order. mark(begin, end,
// words) is called once for each block of kSelectBlock values and sets bit i - begin for each
// marked i. Runs in parallel. Returns the number of entries of `pieces` that hold the result.
template <class Mark, class Make, class Item>
std::size_t find_marked(std::int64_t n, Mark mark, Make item, Found<Item>& pieces) {
  const auto pieces_used = static_cast<std::size_t>((n + kGrain - 1) / kGrain);
  if (pieces.size() < pieces_used) pieces.resize(pieces_used);
  parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    auto& found = pieces[static_cast<std::size_t>(begin / kGrain)];
    found.clear();
    SelectWords words;
    std::array<std::int64_t, kSelectBlock + 1> indices;
    std::array<Item, kSelectBlock> items;
    for (; begin < end; begin += kSelectBlock) {
      const auto stop = std::min(begin + kSelectBlock, end);
      mark(begin, stop, words);
      const auto count = vectorized([&] { return list_marked(begin, stop, words, indices); });
      for (std::size_t p = 0; p < count; ++p) items[p] = item(indices[p]);
      found.insert(found.end(), items.begin(), items.begin() + count);
    }
  });
  return pieces_used;
}

// Appends first + i to `indices`, in ascending order, for each i in 0 … n-1 with predicate(i). The
// predicate is compiled for every SIMD level.
template <class Predicate>
void select_if(std::int64_t n, std::uint32_t first, Predicate predicate,
               Found<std::uint32_t>& pieces, std::vector<std::uint32_t>& indices) {
  const auto count = find_marked(
      n,
      [&](std::int64_t begin, std::int64_t end, SelectWords& words) {
        vectorized(
            [&](std::int64_t from, std::int64_t to) { mark_where(from, to, predicate, words); },
            begin, end);
      },
      [first](std::int64_t i) { return first + static_cast<std::uint32_t>(i); }, pieces);
  for (std::size_t p = 0; p < count; ++p) {
    indices.insert(indices.end(), pieces[p].begin(), pieces[p].end());
  }
}

}  // namespace terse::kernels
