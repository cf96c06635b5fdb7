// Fair coins. The coin of a coordinate is a pure function of (seed, step, purpose, worker, index of
// the coordinate in the model), so it does not depend on slices or buckets. Workers that must toss
// the same coins use worker 0.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "tersegrad/core/random.hpp"

namespace terse::kernels {

class Coins {
 public:
  Coins(std::uint64_t seed, std::uint64_t step, Purpose purpose, std::uint32_t worker = 0)
      : stream_(seed,
                {.purpose = purpose, .worker = worker, .step = static_cast<std::uint32_t>(step)}) {}

  // The coins of the 32 coordinates that begin at `coordinate`; the first is bit 0.
  std::uint32_t from(std::int64_t coordinate) const {
    const auto word = static_cast<std::uint64_t>(coordinate) / 32;
    const auto shift = coordinate % 32;
    if (shift == 0) return stream_.at(word);
    const auto pair = (std::uint64_t{stream_.at(word + 1)} << 32) | stream_.at(word);
    return static_cast<std::uint32_t>(pair >> shift);
  }

  // Fills `coins` with the coins of the 32 · coins.size() coordinates that begin at `coordinate`.
  void from(std::int64_t coordinate, std::span<std::uint32_t> coins) const {
    auto at = static_cast<std::uint64_t>(coordinate) / 32;
    const auto shift = coordinate % 32;
    Philox::EightBlocks blocks;
    std::uint64_t first = at / 4, end = first;  // `blocks` holds the Philox blocks [first, end)
    const auto next = [&] {
      if (at / 4 == end) {
        first = std::exchange(end, end + 8);
        stream_.blocks(first, std::span(&blocks, 1));
      }
      const auto word = blocks[8 * (at % 4) + at / 4 - first];
      ++at;
      return std::uint64_t{word};
    };
    auto low = next();
    for (auto& coin : coins) {
      const auto high = next();
      coin = static_cast<std::uint32_t>((high << 32 | low) >> shift);
      low = high;
    }
  }

 private:
  Philox stream_;
};

}  // namespace terse::kernels
