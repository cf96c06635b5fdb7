#include "tersegrad/comm/collectives/bit_planes.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

Packet numbered(std::size_t words) {
  Packet packet({}, 4 * words);
  ByteWriter out(packet.payload());
  for (std::uint32_t i = 0; i < words; ++i) out.put(i);
  return packet;
}

TEST(BitPlanes, ASliceHasTheSameWordsOfEveryPlane) {
  const Packet whole = numbered(8);  // two planes of four words
  const auto planes = BitPlanes::of(whole, 4);
  EXPECT_EQ(planes.planes, 2);
  const BitPlanes slice{.planes = 2, .words = 2};
  Packet cut({}, slice.size_bytes());
  cut_planes(whole.payload(), planes, 1, slice, cut.payload());
  ByteReader in(std::as_const(cut).payload());
  for (const std::uint32_t word : {1, 2, 5, 6}) EXPECT_EQ(in.get<std::uint32_t>(), word);
}

TEST(BitPlanes, JoinedSlicesAreTheWhole) {
  const Packet whole = numbered(15);  // three planes of five words
  const auto planes = BitPlanes::of(whole, 5);
  Packet joined({}, planes.size_bytes());
  for (const auto& [first, words] : {std::pair<std::size_t, std::size_t>{0, 2}, {2, 3}}) {
    const BitPlanes slice{.planes = 3, .words = words};
    Packet cut({}, slice.size_bytes());
    cut_planes(whole.payload(), planes, first, slice, cut.payload());
    join_planes(cut.payload(), slice, first, planes, joined.payload());
  }
  EXPECT_TRUE(std::ranges::equal(joined.payload(), whole.payload()));
}

TEST(BitPlanes, APayloadThatDoesNotFitIsRefused) {
  EXPECT_THROW(BitPlanes::of(numbered(7), 4), PacketError);
  EXPECT_THROW(BitPlanes::of(numbered(0), 4), PacketError);
  EXPECT_THROW(BitPlanes::of(Packet({}, 17), 4), PacketError);
  EXPECT_EQ(BitPlanes::words_for(0), 0);
  EXPECT_EQ(BitPlanes::words_for(32), 1);
  EXPECT_EQ(BitPlanes::words_for(33), 2);
}

}  // namespace
}  // namespace terse
