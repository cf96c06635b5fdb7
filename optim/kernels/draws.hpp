// Random bits to round with: every value of a tensor has 32 of its own, a pure function of its
// place. 16 of them decide nearly always, so only those are drawn for all values:
//
//   up with probability p/2^32:   upper < p >> 16,  or  upper == p >> 16 and lower < p & 0xffff
//
// One Philox block gives the upper bits of 8 values, and eight blocks are computed side by side:
// value i = 64 g + j has half j / 32 of word (j / 8) % 4 of block 8 g + j % 8.
#pragma once

#include <cstdint>

#include "core/random.hpp"

namespace terse::codec {

class Draws {
 public:
  static constexpr std::int64_t kBlock = 64;

  // The upper bits of 64 values, in two halves.
  class Upper {
   public:
    static constexpr std::int64_t kHalf = kBlock / 2;
    // Those of the first or the last 32 values, by a loop that GCC vectorises.
    struct Half {
      const std::uint32_t* words;
      int shift;
      std::uint32_t operator[](std::int64_t i) const { return words[i] >> shift & 0xffffU; }
    };
    Half half(std::int64_t h) const { return {words_.data(), static_cast<int>(16 * h)}; }
    std::uint32_t operator[](std::int64_t i) const { return half(i / kHalf)[i % kHalf]; }

   private:
    friend class Draws;
    Philox::EightBlocks words_;
  };

  explicit Draws(const Philox& stream) : stream_(stream) {}

  // The upper bits of the 64 values from `first` on, a multiple of 64.
  void upper(std::int64_t first, Upper& bits) const {
    stream_.eight_blocks(static_cast<std::uint64_t>(first) / 8, bits.words_);
  }
  std::uint32_t lower(std::int64_t i) const {
    constexpr std::uint64_t kSecondHalf = std::uint64_t{1} << 33;  // of the stream
    const auto place = static_cast<std::uint64_t>(i);
    return stream_.at(kSecondHalf + place / 2) >> (16 * (place % 2)) & 0xffffU;
  }

 private:
  Philox stream_;
};

}  // namespace terse::codec
