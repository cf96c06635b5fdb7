#include "tersegrad/comm/async/model_packet.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"

namespace terse {
namespace {

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return std::ranges::equal(std::as_bytes(a), std::as_bytes(b));
}

std::vector<float> some_model(std::size_t d) {
  std::vector<float> x(d);
  for (std::size_t i = 0; i < d; ++i) x[i] = static_cast<float>(i) - 7.5F;
  return x;
}

TEST(ModelPacket, CarriesTheModelToTheBit) {
  for (const std::size_t d : {0, 1, 2, 3, 50}) {
    for (std::size_t changes = 0; changes <= d; ++changes) {
      const auto known = some_model(d);
      auto model = known, received = known;
      for (std::size_t i = 0; i < changes; ++i) model[d - 1 - i] = i == 0 ? NAN : -0.0F;
      Packet packet;
      write_model(3, 99, model, known, packet);
      EXPECT_EQ(packet.header().step, 3U);
      EXPECT_EQ(packet.payload().size(), 8 + 4 * std::min(d, 1 + 2 * changes));
      const auto pulled = read_model(packet, received);
      EXPECT_FALSE(pulled.leave);
      EXPECT_EQ(pulled.version, 99U);
      EXPECT_TRUE(same_bits(received, model)) << d << ", " << changes;

      write_model(3, 99, model, {}, packet);
      EXPECT_EQ(packet.payload().size(), 8 + 4 * d);
      received.assign(d, 5);
      read_model(packet, received);
      EXPECT_TRUE(same_bits(received, model));
    }
  }
}

TEST(ModelPacket, SaysThatTheRunIsOver) {
  Packet packet;
  write_leave(7, packet);
  std::vector<float> model = some_model(4);
  EXPECT_TRUE(read_model(packet, model).leave);
  EXPECT_EQ(model, some_model(4));
}

TEST(ModelPacket, RefusesWhatCannotBe) {
  const auto refused = [](const std::vector<std::uint32_t>& words) {
    Packet packet(model_header(0), 4 * words.size());
    std::ranges::copy(words, packet.words().begin());
    std::vector<float> model = some_model(8);
    EXPECT_THROW(read_model(packet, model), PacketError);
  };
  refused({});
  refused({0});
  refused({0, 0});                    // dense without a model
  refused({0, 3});                    // unknown form
  refused({0, 2, 1});                 // leave with a further word
  refused({0, 1});                    // sparse without a count
  refused({0, 1, 1, 0});              // a coordinate without a value
  refused({0, 1, 0xffffffff, 0, 0});  // count above the number of words
  refused({0, 1, 1, 8, 0});           // coordinate beyond the model
  refused({0, 1, 2, 3, 3, 0, 0});     // repeated coordinate
  refused({0, 1, 2, 3, 2, 0, 0});     // coordinates not ascending
  Packet odd(model_header(0), 9);
  std::vector<float> model = some_model(8);
  EXPECT_THROW(read_model(odd, model), PacketError);
}

TEST(ModelPacket, OfAnyBytesIsAModelOrAnError) {
  const auto known = some_model(16);
  auto model = known;
  model[3] = 1;
  model[11] = 2;
  for (std::uint32_t draw = 0; draw < 20'000; ++draw) {
    Philox random(1, {.purpose = Purpose::test, .step = draw});
    Packet packet;
    write_model(0, 1, model, random.below(2) == 0 ? std::span<const float>() : known, packet);
    const auto cut =
        random.below(3) == 0 ? random.below(packet.payload().size() + 1) : packet.payload().size();
    Packet mutated(packet.header(), cut);
    std::memcpy(mutated.payload().data(), packet.payload().data(), cut);
    for (int i = 0; i < 3 && cut > 0; ++i) {
      mutated.payload()[random.below(cut)] = static_cast<std::byte>(random.next());
    }
    auto received = known;
    try {
      read_model(mutated, received);
    } catch (const PacketError&) {
    }
    EXPECT_EQ(received.size(), known.size());
  }
}

}  // namespace
}  // namespace terse
