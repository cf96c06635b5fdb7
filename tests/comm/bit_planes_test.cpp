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
  const auto slice = planes.slice(2);
  Packet cut({}, slice.size_bytes());
  cut_planes(whole.payload(), planes, 1, slice, cut.payload());
  ByteReader in(std::as_const(cut).payload());
  for (const std::uint32_t word : {1, 2, 5, 6}) EXPECT_EQ(in.get<std::uint32_t>(), word);
}

TEST(BitPlanes, ABlockMayHaveSeveralWords) {
  const Packet whole = numbered(12);  // two planes of three blocks of two words
  const auto planes = BitPlanes::of(whole, 3, 2);
  EXPECT_EQ(planes.planes, 2);
  const auto slice = planes.slice(1);
  Packet cut({}, slice.size_bytes()), joined({}, planes.size_bytes());
  std::ranges::fill(joined.payload(), std::byte{0});
  cut_planes(whole.payload(), planes, 1, slice, cut.payload());
  join_planes(cut.payload(), slice, 1, planes, joined.payload());
  ByteReader in(std::as_const(cut).payload()), out(std::as_const(joined).payload());
  for (const std::uint32_t word : {2, 3, 8, 9}) EXPECT_EQ(in.get<std::uint32_t>(), word);
  for (const std::uint32_t word : {0, 0, 2, 3, 0, 0, 0, 0, 8, 9, 0, 0}) {
    EXPECT_EQ(out.get<std::uint32_t>(), word);
  }
  EXPECT_THROW(BitPlanes::of(whole, 3, 3), PacketError);
}

TEST(BitPlanes, JoinedSlicesAreTheWhole) {
  const Packet whole = numbered(15);  // three planes of five words
  const auto planes = BitPlanes::of(whole, 5);
  Packet joined({}, planes.size_bytes());
  for (const auto& [first, words] : {std::pair<std::size_t, std::size_t>{0, 2}, {2, 3}}) {
    const auto slice = planes.slice(words);
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
  EXPECT_EQ(BitPlanes::blocks_for(0), 0);
  EXPECT_EQ(BitPlanes::blocks_for(32), 1);
  EXPECT_EQ(BitPlanes::blocks_for(33), 2);
}

}  // namespace
}  // namespace terse
