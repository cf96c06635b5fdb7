// Random bits to round with: every value of a tensor has 32 of its own, a pure function of its
// place. 16 of them decide nearly always, so only those are drawn for all values:
//
//   up with probability p/2^32:   upper < p >> 16,  or  upper == p >> 16 and lower < p & 0xffff
//
// One Philox block gives the upper bits of 8 values, and eight blocks are laid out side by side:
// value i = 64 g + j has half j / 32 of word (j / 8) % 4 of block 8 g + j % 8.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "tersegrad/core/random.hpp"

namespace terse::kernels {

class Draws {
 public:
  static constexpr std::int64_t kBlock = 64;
  static constexpr std::int64_t kRun = 8 * kBlock;  // values whose draws are computed together

  // The upper bits of a run of values, in runs of 32.
  class Upper {
   public:
    static constexpr std::int64_t kHalf = kBlock / 2;
    // Those of 32 values, by a loop that GCC vectorises.
    struct Half {
      const std::uint32_t* words;
      int shift;
      std::uint32_t operator[](std::int64_t i) const { return words[i] >> shift & 0xffffU; }
    };
    // Those of the values from 32 h on.
    Half half(std::int64_t h) const {
      return {words_[static_cast<std::size_t>(h / 2)].data(), static_cast<int>(h % 2 * 16)};
    }
    std::uint32_t operator[](std::int64_t i) const { return half(i / kHalf)[i % kHalf]; }

   private:
    friend class Draws;
    std::array<Philox::EightBlocks, kRun / kBlock> words_;
  };

  explicit Draws(const Philox& stream) : stream_(stream) {}

  // The upper bits of the n values from `first` on, a multiple of 64, but of a run at most.
  void upper(std::int64_t first, std::int64_t n, Upper& bits) const {
    const auto blocks = (std::min(n, kRun) + kBlock - 1) / kBlock;
    stream_.blocks(static_cast<std::uint64_t>(first) / 8, std::span(bits.words_).first(blocks));
  }
  std::uint32_t lower(std::int64_t i) const {
    constexpr std::uint64_t kSecondHalf = std::uint64_t{1} << 33;  // of the stream
    const auto place = static_cast<std::uint64_t>(i);
    return stream_.at(kSecondHalf + place / 2) >> (16 * (place % 2)) & 0xffffU;
  }

 private:
  Philox stream_;
};

}  // namespace terse::kernels
