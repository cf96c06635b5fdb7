// Counts votes for many coordinates at once. Counts are bit-sliced: bit p of all counts is stored
// in plane p, and a vote is added by propagating carries through the planes (carry-save counting).
// The counts of eight words (256 coordinates) stay in registers while the votes of all voters are
// added.
//
// Vectors of eight words are never passed by value, because the calling convention would depend on
// the SIMD level for which a function is compiled.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "tersegrad/core/simd/vectorized.hpp"

namespace terse::kernels {

inline constexpr int kTallyWords = 64;   // 2048 coordinates in one block
inline constexpr int kTallyPlanes = 16;  // counts up to 65535
using TallyBlock = std::array<std::uint32_t, kTallyWords>;

// Calls body(begin, end) in parallel for every block of at most kTallyWords words of a plane.
template <class Body>
void for_each_tally_block(std::int64_t words, Body body) {
  constexpr std::int64_t kBlocks = 32;  // blocks per piece of the parallel loop
  vectorized_for(words, kBlocks * kTallyWords, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; begin += kTallyWords) {
      body(begin, std::min<std::int64_t>(begin + kTallyWords, end));
    }
  });
}

// The words of a block that are counted together.
struct TallyLanes {
  static constexpr int kMost = 8;
  using Words [[gnu::vector_size(kMost * sizeof(std::uint32_t))]] = std::uint32_t;

  int first = 0, count = kMost;  // words [first, first + count) of a block

  void load(const std::uint32_t* block, Words& words) const {
    if (count == kMost) {  // compiles to one load
      std::memcpy(&words, block + first, sizeof words);
    } else {
      words = Words{};
      std::memcpy(&words, block + first, static_cast<std::size_t>(count) * sizeof(std::uint32_t));
    }
  }
};

// The counts of one block of coordinates.
class Tally {
 public:
  // Counts the votes of `voters` voters, at most 65535, in the first `words` words of the block.
  // vote(v, lanes, words) sets `words` to the votes of voter v in the words `lanes`.
  template <class Vote>
  Tally(std::size_t voters, int words, Vote vote)
      : used_(static_cast<int>(std::bit_width(voters))), words_(words) {
    count_in_planes(voters, words, vote, CountedPlanes());
  }

  // Word w of plane p: bit p of the counts of its 32 coordinates.
  std::uint32_t word(int p, int w) const { return p < used_ ? planes_[p][w] : 0; }

  // Sets bits where this count > the other, and where this count == the other. `other` is a Tally
  // or a number. Words beyond those that were counted are unspecified.
  template <class Other>
  void compare(const Other& other, TallyBlock& greater, TallyBlock& equal) const {
    greater.fill(0);
    equal.fill(~std::uint32_t{0});
    for (int p = std::max(used_, planes_of(other)) - 1; p >= 0; --p) {
      for (int w = 0; w < words_; ++w) {
        const auto ours = word(p, w), theirs = word_of(other, p, w);
        greater[w] |= equal[w] & ours & ~theirs;
        equal[w] &= ~(ours ^ theirs);
      }
    }
  }

 private:
  using Words = TallyLanes::Words;

  static int planes_of(const Tally& other) { return other.used_; }
  static int planes_of(std::uint32_t number) { return static_cast<int>(std::bit_width(number)); }
  static std::uint32_t word_of(const Tally& other, int p, int w) { return other.word(p, w); }
  static std::uint32_t word_of(std::uint32_t number, int p, int) {
    return (number >> p & 1U) != 0 ? ~std::uint32_t{0} : 0;
  }

  // The numbers of planes for which `count` is instantiated; the smallest that is sufficient is
  // used. Not every number above 6 has an instance, because each takes long to compile.
  using CountedPlanes = std::integer_sequence<int, 0, 1, 2, 3, 4, 5, 6, 8, 12, kTallyPlanes>;

  template <class Vote, int... Planes>
  void count_in_planes(std::size_t voters, int words, Vote vote,
                       std::integer_sequence<int, Planes...>) {
    (void)((Planes >= used_ && (count<Planes>(voters, words, vote), true)) || ...);
  }

  template <int Planes, class Vote>
  void count(std::size_t voters, int words, Vote vote) {
    constexpr int kMost = TallyLanes::kMost;
    int first = 0;
    for (; first + kMost <= words; first += kMost) {
      count_words<Planes>(voters, vote, TallyLanes{.first = first});
    }
    if (first < words) count_words<Planes>(voters, vote, TallyLanes{first, words - first});
  }

  // Votes are added four at a time by three full adders and one carry propagation, and the rest one
  // at a time.
  template <int Planes, class Vote>
  void count_words(std::size_t voters, Vote vote, const TallyLanes& lanes) {
    Words counts[Planes + 1], a, b;  // in registers; counts[Planes] is unused
    for (auto& plane : counts) plane = Words{};
    std::size_t v = 0;
    if constexpr (Planes > 2) {
      for (; v + 4 <= voters; v += 4) {
        Words twos, more;
        vote(v, lanes, a);
        vote(v + 1, lanes, b);
        full_add(counts[0], a, b, twos);
        vote(v + 2, lanes, a);
        vote(v + 3, lanes, b);
        full_add(counts[0], a, b, more);
        full_add(counts[1], twos, more, a);
        ripple<2, Planes>(counts, a);
      }
    }
    for (; v < voters; ++v) {
      vote(v, lanes, a);
      ripple<0, Planes>(counts, a);
    }
    for (int p = 0; p < Planes; ++p) {
      std::memcpy(planes_[p].data() + lanes.first, &counts[p],
                  static_cast<std::size_t>(lanes.count) * sizeof(std::uint32_t));
    }
  }

  // Adds 2^Plane to every count whose bit in `carry` is set.
  template <int Plane, int Planes>
  static void ripple(Words* counts, const Words& carry) {
    if constexpr (Plane < Planes) {
      const Words overflow = counts[Plane] & carry;
      counts[Plane] ^= carry;
      ripple<Plane + 1, Planes>(counts, overflow);
    }
  }

  // plane + a + b: the sum bit is stored in `plane`, the carry bit in `carry`.
  static void full_add(Words& plane, const Words& a, const Words& b, Words& carry) {
    const Words differ = a ^ b;
    carry = (a & b) | (differ & plane);
    plane ^= differ;
  }

  int used_;                                     // number of planes that can be nonzero
  int words_;                                    // number of words of a plane that are counted
  std::array<TallyBlock, kTallyPlanes> planes_;  // beyond used_ and words_ not initialised
};

}  // namespace terse::kernels
