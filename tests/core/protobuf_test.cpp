// Messages have the bytes of the encoding's description, and a reader finds their fields.
#include "tersegrad/core/protobuf.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <limits>

#include "tests/core/protobuf_reader.hpp"

namespace terse {
namespace {

using testing::ElementsAre;

// The examples of protobuf.dev/programming-guides/encoding.
TEST(Protobuf, HasTheBytesOfItsDescription) {
  EXPECT_EQ(ProtobufMessage().integer(1, 150).encoded(), "\x08\x96\x01");
  EXPECT_EQ(ProtobufMessage().text(2, "testing").encoded(), "\x12\x07testing");
  EXPECT_EQ(ProtobufMessage().message(3, ProtobufMessage().integer(1, 150)).encoded(),
            "\x1a\x03\x08\x96\x01");
  EXPECT_EQ(ProtobufMessage().integer(1, -2).encoded(),
            "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  EXPECT_EQ(ProtobufMessage().float32(1, 1).encoded(), std::string("\x0d\x00\x00\x80\x3f", 5));
  EXPECT_EQ(ProtobufMessage().float64(1, 1).encoded(),
            std::string("\x09\x00\x00\x00\x00\x00\x00\xf0\x3f", 9));
}

TEST(Protobuf, AReaderFindsEveryValue) {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  ProtobufMessage message;
  for (const std::int64_t value : {std::int64_t{0}, std::int64_t{127}, std::int64_t{128},
                                   std::int64_t{16383}, std::int64_t{16384}, kLeast, kMost}) {
    message.integer(1, value);
  }
  const std::string longer(300, 'x');
  constexpr std::array kPacked = {0.5, -1e300};
  message.text(16, longer).text(16, "").float32(1000, 0.25F).float64(3, -0.125).packed(4, kPacked);
  const ProtobufReader read(message.encoded());
  EXPECT_THAT(read.integers(1), ElementsAre(0, 127, 128, 16383, 16384, kLeast, kMost));
  EXPECT_THAT(read.texts(16), ElementsAre(longer, ""));
  EXPECT_THAT(read.floats(1000), ElementsAre(0.25F));
  EXPECT_THAT(read.doubles(3), ElementsAre(-0.125));
  EXPECT_THAT(read.packed_doubles(4), ElementsAre(0.5, -1e300));
}

}  // namespace
}  // namespace terse
