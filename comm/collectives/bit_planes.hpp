// Cutting and joining the payloads of sliceable packets.
//
// The payload for n coordinates is one or more bit planes, one after the other. A plane has
// `words` = ceil(n/32) little-endian u32; coordinate i is bit i % 32 of word i / 32 of every plane.
// A slice of the coordinates, cut at multiples of 32, is the same range of words of every plane:
//
//   whole    | plane 0: w0 w1 w2 w3 | plane 1: w0 w1 w2 w3 |
//   slice    | plane 0: w1 w2 | plane 1: w1 w2 |               (words 1 and 2)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tersegrad/optim/packet.hpp"

namespace terse {

inline constexpr std::int64_t kCoordinatesPerWord = 32;

struct BitPlanes {
  std::size_t planes = 0, words = 0;  // words of each plane

  std::size_t size_bytes() const { return planes * words * sizeof(std::uint32_t); }
  static std::size_t words_for(std::int64_t coordinates) {
    return static_cast<std::size_t>((coordinates + kCoordinatesPerWord - 1) / kCoordinatesPerWord);
  }
  // The layout of a payload whose planes have `words` >= 1 words. Throws PacketError unless the
  // payload is a whole number of planes, at least one.
  static BitPlanes of(const Packet& packet, std::size_t words);
};

// Copies the words [first, first + slice.words) of every plane of `from` to `to`.
void cut_planes(std::span<const std::byte> from, const BitPlanes& whole, std::size_t first,
                const BitPlanes& slice, std::span<std::byte> to);
// The inverse: copies the planes of a slice to the words [first, first + slice.words) of `to`.
void join_planes(std::span<const std::byte> from, const BitPlanes& slice, std::size_t first,
                 const BitPlanes& whole, std::span<std::byte> to);

}  // namespace terse
