// Each wire attack corrupts the attacker's packets as documented, and the run ends without error or
// with one clear error.
#include "tersegrad/comm/faults/faulty_endpoint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

// Keeps all posted packets.
class Recorder final : public Endpoint {
 public:
  int rank() const override { return 1; }
  int size() const override { return 2; }
  Packet lend(int) override { return {}; }
  void post(int, Packet packet) override { posted.push_back(std::move(packet)); }
  void take(int, const Expected&, Packet&) override {}
  int take_any(const Expected&, Packet&) override { return 0; }
  void barrier() override {}
  VirtualClock* clock() override { return &time; }

  std::vector<Packet> posted;
  VirtualClock time{LocalWork::declared, 1};
};

Packet packet_of(std::uint32_t step, std::size_t bytes, std::byte value,
                 PacketKind kind = PacketKind::up) {
  Packet packet({.kind = kind, .step = step, .worker = 1}, bytes);
  std::ranges::fill(packet.payload(), value);
  packet.seal();
  return packet;
}
bool same(const Packet& a, const Packet& b) {
  return std::ranges::equal(a.bytes(), b.bytes());
}
bool sealed(const Packet& packet) {
  Packet again = packet;
  again.seal();
  return same(again, packet);
}
std::size_t bits_set(const Packet& packet) {
  std::size_t bits = 0;
  for (const auto byte : packet.payload()) {
    bits += static_cast<std::size_t>(std::popcount(std::to_integer<unsigned>(byte)));
  }
  return bits;
}

// The packets that are posted below the attack when these are posted above it.
std::vector<Packet> after(const std::string& spec, const std::vector<Packet>& packets) {
  Recorder wire;
  FaultyEndpoint attacker(wire, parse_attack(spec), 7);
  for (const auto& packet : packets) attacker.post(0, packet);
  return std::move(wire.posted);
}

TEST(FaultyEndpoint, FlipsSoManyBitsOfThePayloadAndNoOther) {
  const auto original = packet_of(3, 125000, std::byte{0});
  for (const double rate : {1e-4, 0.01, 0.5}) {
    const auto sent = after("bit-flip:rate=" + std::to_string(rate), {original, original}).front();
    const double expected = 1e6 * rate, deviation = std::sqrt(1e6 * rate * (1 - rate));
    EXPECT_NEAR(static_cast<double>(bits_set(sent)), expected, 5 * deviation);
    EXPECT_TRUE(sealed(sent));
    EXPECT_EQ(sent.header().step, 3);
  }
  EXPECT_EQ(bits_set(after("bit-flip:rate=1", {original}).front()), 1000000);
  EXPECT_TRUE(same(after("bit-flip:rate=0", {original}).front(), original));

  const auto kept = after("bit-flip:rate=0.01,checksum=keep", {original}).front();
  EXPECT_FALSE(sealed(kept));
  EXPECT_TRUE(std::ranges::equal(kept.bytes().first(Packet::kHeaderBytes),
                                 original.bytes().first(Packet::kHeaderBytes)));
}

TEST(FaultyEndpoint, DropsAndDuplicates) {
  const auto first = packet_of(0, 8, std::byte{1}), second = packet_of(0, 8, std::byte{2});
  EXPECT_TRUE(after("drop", {first, second}).empty());
  const auto twice = after("duplicate", {first, second});
  ASSERT_EQ(twice.size(), 4U);
  EXPECT_TRUE(same(twice[0], first) && same(twice[1], first));
  EXPECT_TRUE(same(twice[2], second) && same(twice[3], second));
}

TEST(FaultyEndpoint, HitsAtItsRate) {
  const std::vector<Packet> many(1000, packet_of(0, 0, std::byte{0}));
  const auto arrived = after("drop:rate=0.3", many).size();
  EXPECT_NEAR(static_cast<double>(arrived), 700, 5 * std::sqrt(1000 * 0.3 * 0.7));
  EXPECT_EQ(after("drop:rate=0.3", many).size(), arrived);
}

TEST(FaultyEndpoint, SparesOtherStepsAndControlMessages) {
  for (const std::string name : {"bit-flip:rate=1,", "drop:", "duplicate:", "replay:"}) {
    const auto control = packet_of(5, 8, std::byte{0}, PacketKind::control);
    const std::vector<Packet> quiet = {packet_of(4, 8, std::byte{0}), control,
                                       packet_of(6, 8, std::byte{1})};
    const auto sent = after(name + "at=5", quiet);
    ASSERT_EQ(sent.size(), 3U) << name;
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(same(sent[i], quiet[i])) << name << i;
  }
}

TEST(FaultyEndpoint, ReplaysThePacketOfTheSamePlaceInTheStepBefore) {
  std::vector<Packet> packets;
  for (std::uint32_t step = 0; step < 3; ++step) {
    for (unsigned place = 0; place < 2; ++place) {
      packets.push_back(packet_of(step, 4 * (place + 1), std::byte(10 * step + place)));
    }
  }
  const auto relabelled = after("replay", packets), kept = after("replay:checksum=keep", packets);
  ASSERT_EQ(relabelled.size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) {
    const auto& old = packets[i < 2 ? i : i - 2];  // the first step has no previous one
    EXPECT_TRUE(same(kept[i], old)) << i;
    EXPECT_TRUE(std::ranges::equal(relabelled[i].payload(), old.payload())) << i;
    EXPECT_EQ(relabelled[i].header().step, i / 2);
    EXPECT_TRUE(sealed(relabelled[i]));
  }
}

TEST(FaultyEndpoint, DelaysInVirtualTime) {
  Recorder wire;
  FaultyEndpoint attacker(wire, parse_attack("delay:ms=250,at=1"), 7);
  attacker.post(0, packet_of(0, 4, std::byte{0}));
  EXPECT_EQ(wire.time.now(), 0);
  attacker.post(0, packet_of(1, 4, std::byte{0}));
  EXPECT_EQ(wire.time.now(), 0.25);
  EXPECT_EQ(wire.posted.size(), 2U);
}

// ---- in a run -----------------------------------------------------------------------------------

struct Outcome {
  std::string error;  // empty: the run ended without error
  bool packet_error = false;
  std::vector<float> model;  // the parameters of worker 0
};

// Six steps with three workers, of which the last is the attacker.
Outcome run(const std::string& spec, const std::string& compressor, const TopologyOptions& topology,
            Executor executor = Executor::turns) {
  Outcome outcome;
  const auto attack = parse_attack(spec);
  const TopologyPlan plan(topology, *make_compressor(compressor));
  try {
    run_workers({.workers = 3, .executor = executor}, [&](Worker& me) {
      Tensor x = Tensor::full({40, 10}, 1), y = Tensor::full({30}, 1);
      x.set_requires_grad();
      y.set_requires_grad();
      ParameterBuffer parameters{std::vector<ParameterBuffer::Named>{{"x", x}, {"y", y}}};
      const auto rule = toy::rule_for(compressor, "sgd");
      DistributedOptimizer optimizer(me, parameters, *rule, make_compressor(compressor),
                                     plan.join(me), {.seed = 2, .attack = attack});
      install_faults(me, attack, 2);
      toy::Gradients gradients({400, 30});
      for (std::uint64_t step = 0; step < 6; ++step) {
        gradients.fill(me.rank(), step);
        const std::span<const float> flat(gradients.values);
        optimizer.zero_grad();
        x.backward(Tensor::from({40, 10}, flat.first(400)));
        y.backward(Tensor::from({30}, flat.subspan(400)));
        optimizer.step(0.01F);
      }
      const auto values = parameters.values();
      if (me.rank() == 0) outcome.model.assign(values.begin(), values.end());
    });
  } catch (const PacketError& error) {
    outcome.packet_error = true;
    outcome.error = error.what();
  } catch (const Error& error) {
    outcome.error = error.what();
  }
  return outcome;
}

std::vector<TopologyOptions> topologies() {
  return {{TopologyKind::ring, 3}, {TopologyKind::server, 3, 2}};
}

TEST(WireAttack, AFlippedBitUnderItsChecksumIsFoundAndNamesBothWorkers) {
  for (const auto& topology : topologies()) {
    for (const auto& entry : compressor_registry()) {
      const auto [error, packet_error, model] =
          run("bit-flip:rate=0.01,at=2,checksum=keep", std::string(entry.example), topology);
      EXPECT_TRUE(packet_error) << entry.example << error;
      EXPECT_NE(error.find(" got a broken packet from worker 2: its checksum must be"),
                std::string::npos)
          << entry.example << ": " << error;
    }
  }
}

// A corrupted packet is either decoded or refused; no exact result is expected.
TEST(WireAttack, EverySpoiledPacketEndsInAStepOrInOneError) {
  for (const auto& topology : topologies()) {
    for (const auto& entry : compressor_registry()) {
      for (const std::string spec : {"bit-flip:rate=0.001", "bit-flip:rate=0.5,at=3", "drop:at=2",
                                     "duplicate:at=2", "replay", "replay:rate=0.3,checksum=keep"}) {
        const auto outcome = run(spec, std::string(entry.example), topology);
        EXPECT_TRUE(outcome.error.find("internal error") == std::string::npos)
            << spec << " " << entry.example << ": " << outcome.error;
        EXPECT_NE(outcome.error.empty(), outcome.model.empty()) << spec << " " << entry.example;
      }
    }
  }
}

TEST(WireAttack, ADroppedPacketEndsTheRunAndSaysWhoWaitsForWhom) {
  for (const auto& topology : topologies()) {
    const auto outcome = run("drop:at=5", "none", topology);  // step 5 is the last
    EXPECT_NE(outcome.error.find("deadlock: "), std::string::npos) << outcome.error;
    EXPECT_NE(outcome.error.find(" waits for worker 2 (packet"), std::string::npos)
        << outcome.error;
  }
}

TEST(WireAttack, AReplayedPacketUnderItsOwnLabelIsFoundByItsStep) {
  const auto outcome = run("replay:at=4,checksum=keep", "vote", {TopologyKind::ring, 3});
  EXPECT_TRUE(outcome.packet_error);
  EXPECT_NE(outcome.error.find("got a packet of step 3 from worker 2; expected step 4"),
            std::string::npos)
      << outcome.error;
}

TEST(WireAttack, ADelayChangesNothingButTheTime) {
  for (const auto& topology : topologies()) {
    const auto honest = run("none", "none", topology);
    ASSERT_FALSE(honest.model.empty());
    EXPECT_EQ(run("delay:ms=1", "none", topology, Executor::concurrent).model, honest.model);
    EXPECT_EQ(run("drop:workers=0", "none", topology).model, honest.model);
    EXPECT_NE(run("replay", "none", topology).model, honest.model);
  }
}

}  // namespace
}  // namespace terse
