#include "tersegrad/comm/collectives/bit_planes.hpp"

#include <algorithm>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

void check_ranges(const BitPlanes& whole, std::size_t first, const BitPlanes& slice) {
  internal_check(slice.planes == whole.planes && slice.block_words == whole.block_words &&
                     first + slice.blocks <= whole.blocks,
                 "bit planes: expected a range within {} blocks of {} planes; got blocks {} to {} "
                 "of {} planes",
                 whole.blocks, whole.planes, first, first + slice.blocks, slice.planes);
}

}  // namespace

BitPlanes BitPlanes::of(const Packet& packet, std::size_t blocks, std::size_t block_words) {
  const std::size_t words = blocks * block_words, plane = words * sizeof(std::uint32_t);
  const std::size_t bytes = packet.payload().size();
  internal_check(words > 0, "bit planes: expected at least 1 word per plane; got 0");
  check<PacketError>(
      bytes > 0 && bytes % plane == 0,
      "bit planes: expected a payload of whole planes of {} words, {} bytes each; got {} bytes",
      words, plane, bytes);
  return {.planes = bytes / plane, .blocks = blocks, .block_words = block_words};
}

void cut_planes(std::span<const std::byte> from, const BitPlanes& whole, std::size_t first,
                const BitPlanes& slice, std::span<std::byte> to) {
  check_ranges(whole, first, slice);
  const std::size_t block = whole.block_bytes();
  for (std::size_t p = 0; p < slice.planes; ++p) {
    std::ranges::copy(from.subspan((p * whole.blocks + first) * block, slice.blocks * block),
                      to.subspan(p * slice.blocks * block).begin());
  }
}

void join_planes(std::span<const std::byte> from, const BitPlanes& slice, std::size_t first,
                 const BitPlanes& whole, std::span<std::byte> to) {
  check_ranges(whole, first, slice);
  const std::size_t block = whole.block_bytes();
  for (std::size_t p = 0; p < slice.planes; ++p) {
    std::ranges::copy(from.subspan(p * slice.blocks * block, slice.blocks * block),
                      to.subspan((p * whole.blocks + first) * block).begin());
  }
}

}  // namespace terse
