#include "tersegrad/comm/collectives/bit_planes.hpp"

#include <algorithm>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

constexpr std::size_t kWord = sizeof(std::uint32_t);

void check_ranges(const BitPlanes& whole, std::size_t first, const BitPlanes& slice) {
  internal_check(
      slice.planes == whole.planes && first + slice.words <= whole.words,
      "bit planes: expected a range within {} words of {} planes; got words {} to {} of {} planes",
      whole.words, whole.planes, first, first + slice.words, slice.planes);
}

}  // namespace

BitPlanes BitPlanes::of(const Packet& packet, std::size_t words) {
  const std::size_t bytes = packet.payload().size(), plane = words * kWord;
  internal_check(words > 0, "bit planes: expected at least 1 word per plane; got 0");
  check<PacketError>(
      bytes > 0 && bytes % plane == 0,
      "bit planes: expected a payload of whole planes of {} words, {} bytes each; got {} bytes",
      words, plane, bytes);
  return {.planes = bytes / plane, .words = words};
}

void cut_planes(std::span<const std::byte> from, const BitPlanes& whole, std::size_t first,
                const BitPlanes& slice, std::span<std::byte> to) {
  check_ranges(whole, first, slice);
  for (std::size_t p = 0; p < slice.planes; ++p) {
    std::ranges::copy(from.subspan((p * whole.words + first) * kWord, slice.words * kWord),
                      to.subspan(p * slice.words * kWord).begin());
  }
}

void join_planes(std::span<const std::byte> from, const BitPlanes& slice, std::size_t first,
                 const BitPlanes& whole, std::span<std::byte> to) {
  check_ranges(whole, first, slice);
  for (std::size_t p = 0; p < slice.planes; ++p) {
    std::ranges::copy(from.subspan(p * slice.words * kWord, slice.words * kWord),
                      to.subspan((p * whole.words + first) * kWord).begin());
  }
}

}  // namespace terse
