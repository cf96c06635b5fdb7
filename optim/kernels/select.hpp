// Exact selection of the largest magnitudes; ties go to the lowest index.
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

// Integers in the order of |x|: the bits of the magnitude; |NaN| counts as infinity.
void magnitude_keys(std::span<const float> x, std::span<std::uint32_t> keys);

// What pieces of a parallel loop have found: room that is used again, for pages that a loop asks
// for anew in every step cost more than the loop.
template <class Item>
using Found = std::vector<std::vector<Item>>;

// Selects as many of the largest as there is room for in `indices`, at most all, and writes first +
// i, ascending, for each i among them; x_i too, where it is known. Keeps room from one call to the
// next, and nothing else.
class LargestSelector {
 public:
  // The largest |x_i|.
  void select(std::span<const float> x, std::uint32_t first, std::span<std::uint32_t> indices,
              std::span<float> values);
  // The largest of what magnitude_keys gives; first = 0.
  void select(std::span<const std::uint32_t> keys, std::span<std::uint32_t> indices);
  // The largest |x_i| of x = keep x + g, which is written in the pass that looks for them. take:
  // subtracts from x what is selected. It costs little, for it is done while x_i is at hand: to
  // all candidates, and those that are not selected are put back.
  void feed_and_select(std::span<const float> g, float keep, std::span<float> x, bool take,
                       std::uint32_t first, std::span<std::uint32_t> indices,
                       std::span<float> values);

 private:
  struct Candidate {
    std::uint32_t bits, place;  // x_i or its key, and i
    std::uint32_t key() const;
    std::uint64_t rank() const;
  };

  template <class Key, class AtLeast>
  void find_candidates(std::int64_t n, std::int64_t k, Key key, AtLeast at_least);
  template <class Other>
  void keep_largest(std::int64_t k, Other other);
  void write(std::uint32_t first, std::span<std::uint32_t> indices, std::span<float> values) const;
  template <class Body>
  void for_each_candidate(Body body) const;

  Found<Candidate> found_;
  std::size_t pieces_ = 0;  // of found_: the candidates, ascending
  std::vector<Candidate> others_;
  std::vector<std::uint64_t> room_;
  std::vector<std::uint32_t> sample_;
};

inline constexpr std::int64_t kSelectBits = 32, kSelectBlock = 1024;
using SelectWords = std::array<std::uint32_t, kSelectBlock / kSelectBits>;

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

// Bit i - begin of the words is predicate(i), for i of the block.
template <class Predicate>
void mark_where(std::int64_t begin, std::int64_t end, Predicate predicate, SelectWords& words) {
  for (auto i = begin; i < end; i += kSelectBits) {
    words[static_cast<std::size_t>((i - begin) / kSelectBits)] = bits_where(
        std::min(kSelectBits, end - i), [&](std::int64_t b) { return predicate(i + b); });
  }
}

// Writes the i of a block whose bits are set, ascending, and returns how many. Of a word the first
// is written without asking whether it is there: mostly there is none or one, and a branch would
// be guessed wrong for every other item.
inline std::size_t list_marked(std::int64_t begin, std::int64_t end, const SelectWords& words,
                               std::array<std::int64_t, kSelectBlock + 1>& places) {
  std::size_t count = 0;
  for (auto i = begin; i < end; i += kSelectBits) {
    auto bits = words[static_cast<std::size_t>((i - begin) / kSelectBits)];
    places[count] = i + std::countr_zero(bits | 1U << 31);  // never zero: no branch
    count += bits != 0;
    for (bits &= bits - 1; bits != 0; bits &= bits - 1) {
      places[count++] = i + std::countr_zero(bits);
    }
  }
  return count;
}

// Finds item(i), ascending, for each i in 0 … n-1 whose bit mark(begin, end, words) sets: it is
// asked once of every block. Returns how many of the pieces hold them.
template <class Mark, class Make, class Item>
std::size_t find_marked(std::int64_t n, Mark mark, Make item, Found<Item>& pieces) {
  const auto pieces_used = static_cast<std::size_t>((n + kGrain - 1) / kGrain);
  if (pieces.size() < pieces_used) pieces.resize(pieces_used);
  parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    auto& found = pieces[static_cast<std::size_t>(begin / kGrain)];
    found.clear();
    SelectWords words;
    std::array<std::int64_t, kSelectBlock + 1> places;
    std::array<Item, kSelectBlock> items;
    for (; begin < end; begin += kSelectBlock) {
      const auto stop = std::min(begin + kSelectBlock, end);
      mark(begin, stop, words);
      const auto count = vectorized([&] { return list_marked(begin, stop, words, places); });
      for (std::size_t p = 0; p < count; ++p) items[p] = item(places[p]);
      found.insert(found.end(), items.begin(), items.begin() + count);
    }
  });
  return pieces_used;
}

// Appends first + i, ascending, for each i in 0 … n-1 of which predicate(i) holds. The predicate
// is compiled for every level.
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
