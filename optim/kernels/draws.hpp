// Random bits for stochastic rounding. Every value of a tensor has 32 random bits, which are a pure
// function of its index. The upper 16 bits decide nearly always, so only they are drawn for all
// values:
//
//   round up with probability p/2^32:   upper < p >> 16,  or
//                                       upper == p >> 16  and  lower < p & 0xffff
//
// One Philox block gives the upper bits of 8 values, and eight blocks are interleaved: the upper
// bits of value i = 64 g + j are half j / 32 of word (j / 8) % 4 of block 8 g + j % 8.
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

  // The upper bits of up to kRun values, accessible in groups of 32.
  class Upper {
   public:
    static constexpr std::int64_t kHalf = kBlock / 2;
    // The upper bits of 32 values. GCC vectorises loops over the index.
    struct Half {
      const std::uint32_t* words;
      int shift;
      std::uint32_t operator[](std::int64_t i) const { return words[i] >> shift & 0xffffU; }
    };
    // The upper bits of the values 32 h … 32 h + 31.
    Half half(std::int64_t h) const {
      return {words_[static_cast<std::size_t>(h / 2)].data(), static_cast<int>(h % 2 * 16)};
    }
    std::uint32_t operator[](std::int64_t i) const { return half(i / kHalf)[i % kHalf]; }

   private:
    friend class Draws;
    std::array<Philox::EightBlocks, kRun / kBlock> words_;
  };

  explicit Draws(const Philox& stream) : stream_(stream) {}

  // Computes the upper bits of the min(n, kRun) values that begin at `first`, a multiple of 64.
  void upper(std::int64_t first, std::int64_t n, Upper& bits) const {
    const auto blocks = (std::min(n, kRun) + kBlock - 1) / kBlock;
    stream_.blocks(static_cast<std::uint64_t>(first) / 8, std::span(bits.words_).first(blocks));
  }
  // The lower 16 bits of value i.
  std::uint32_t lower(std::int64_t i) const {
    constexpr std::uint64_t kSecondHalf = std::uint64_t{1} << 33;  // stream position of lower bits
    const auto place = static_cast<std::uint64_t>(i);
    return stream_.at(kSecondHalf + place / 2) >> (16 * (place % 2)) & 0xffffU;
  }

 private:
  Philox stream_;
};

}  // namespace terse::kernels
