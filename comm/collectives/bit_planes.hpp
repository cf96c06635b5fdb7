// Cutting and joining the payloads of sliceable packets.
//
// The payload for n coordinates is one or more planes, one after the other. A plane has `blocks` =
// ceil(n/32) blocks of `block_words` u32. Block b belongs to the coordinates 32 b … 32 b + 31: in a
// bit plane it is one word, and coordinate i is bit i % 32 of word i / 32; a plane of 16-bit floats
// has 16 words in a block. A slice of the coordinates, cut at multiples of 32, is the same range of
// blocks of every plane:
//
//   whole    | plane 0: b0 b1 b2 b3 | plane 1: b0 b1 b2 b3 |
//   slice    | plane 0: b1 b2 | plane 1: b1 b2 |               (blocks 1 and 2)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tersegrad/optim/packet.hpp"

namespace terse {

inline constexpr std::int64_t kCoordinatesPerBlock = 32;

struct BitPlanes {
  std::size_t planes = 0, blocks = 0;  // blocks of each plane
  std::size_t block_words = 1;

  std::size_t block_bytes() const { return block_words * sizeof(std::uint32_t); }
  std::size_t size_bytes() const { return planes * blocks * block_bytes(); }
  // The same planes with another number of blocks.
  BitPlanes slice(std::size_t of_blocks) const {
    return {.planes = planes, .blocks = of_blocks, .block_words = block_words};
  }
  static std::size_t blocks_for(std::int64_t coordinates) {
    return static_cast<std::size_t>((coordinates + kCoordinatesPerBlock - 1) /
                                    kCoordinatesPerBlock);
  }
  // The layout of a payload whose planes have `blocks` >= 1 blocks. Throws PacketError unless the
  // payload is a whole number of planes, at least one.
  static BitPlanes of(const Packet& packet, std::size_t blocks, std::size_t block_words = 1);
};

// Copies the blocks [first, first + slice.blocks) of every plane of `from` to `to`.
void cut_planes(std::span<const std::byte> from, const BitPlanes& whole, std::size_t first,
                const BitPlanes& slice, std::span<std::byte> to);
// The inverse: copies the planes of a slice to the blocks [first, first + slice.blocks) of `to`.
void join_planes(std::span<const std::byte> from, const BitPlanes& slice, std::size_t first,
                 const BitPlanes& whole, std::span<std::byte> to);

}  // namespace terse
