// Votes counted as integers, many coordinates at once: a count is kept as bits, bit p of all counts
// together in plane p, and adding a vote is a ripple of carries (carry-save counting). The counts
// of eight words stay in registers while all voters pass.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>

#include "core/parallel.hpp"

namespace terse::codec {

inline constexpr int kTallyWords = 64;   // 2048 coordinates in one block
inline constexpr int kTallyPlanes = 16;  // counts up to 65535
using TallyBlock = std::array<std::uint32_t, kTallyWords>;

// body(begin, end) for every block of words of a plane, in parallel.
template <class Body>
void for_each_tally_block(std::int64_t words, Body body) {
  constexpr std::int64_t kBlocks = 32;  // in a piece
  parallel_for(words, kBlocks * kTallyWords, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; begin += kTallyWords) {
      body(begin, std::min<std::int64_t>(begin + kTallyWords, end));
    }
  });
}

// The counts of one block of coordinates.
class Tally {
 public:
  // Adds up the votes of `voters`, at most 65535: vote(v, w) is word w of voter v, 0 <= w < words.
  template <class Vote>
  Tally(std::size_t voters, int words, Vote vote)
      : used_(static_cast<int>(std::bit_width(voters))), words_(words) {
    count_in_planes(voters, words, vote, std::make_integer_sequence<int, kTallyPlanes + 1>());
  }

  // Word w of plane p: bit p of the counts at its 32 places.
  std::uint32_t word(int p, int w) const { return p < used_ ? planes_[p][w] : 0; }

  // Bits: this count > the other, and this count == the other; of words without votes, anything.
  // The other is a Tally, or a number.
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
  static constexpr int kLanes = 8;
  using Lanes [[gnu::vector_size(kLanes * sizeof(std::uint32_t))]] = std::uint32_t;

  static int planes_of(const Tally& other) { return other.used_; }
  static int planes_of(std::uint32_t number) { return static_cast<int>(std::bit_width(number)); }
  static std::uint32_t word_of(const Tally& other, int p, int w) { return other.word(p, w); }
  static std::uint32_t word_of(std::uint32_t number, int p, int) {
    return (number >> p & 1U) != 0 ? ~std::uint32_t{0} : 0;
  }

  template <class Vote, int... Planes>
  void count_in_planes(std::size_t voters, int words, Vote vote,
                       std::integer_sequence<int, Planes...>) {
    ((Planes == used_ ? count<Planes>(voters, words, vote) : void()), ...);
  }

  template <int Planes, class Vote>
  void count(std::size_t voters, int words, Vote vote) {
    int first = 0;
    for (; first + kLanes <= words; first += kLanes) {
      count_words<Planes, kLanes>(voters, first, vote);
    }
    for (; first < words; ++first) count_words<Planes, 1>(voters, first, vote);
  }

  template <int Planes, int Words, class Vote>
  void count_words(std::size_t voters, int first, Vote vote) {
    std::array<Lanes, Planes> counts{};
    for (std::size_t v = 0; v < voters; ++v) {
      Lanes carry{};
      for (int i = 0; i < Words; ++i) carry[i] = vote(v, first + i);
      for (auto& plane : counts) {
        const Lanes overflow = plane & carry;
        plane ^= carry;
        carry = overflow;
      }
    }
    for (int p = 0; p < Planes; ++p) {
      for (int i = 0; i < Words; ++i) planes_[p][first + i] = counts[p][i];
    }
  }

  int used_;                                     // planes that can be other than zero
  int words_;                                    // of each that are set
  std::array<TallyBlock, kTallyPlanes> planes_;  // those are set, as far as there are votes
};

}  // namespace terse::codec
