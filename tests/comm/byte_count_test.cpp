// Exact counts of the bytes sent: the table of comm/topology/topology.hpp, as totals over all
// workers.
#include <gtest/gtest.h>

#include <functional>

#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

using MakeCompressor = std::function<std::unique_ptr<Compressor>()>;

struct Sent {
  std::uint64_t payload = 0, messages = 0, headers = 0, up = 0;
};

// The totals of one step with two tensors of n/2 values. All workers have the same gradient.
Sent sent_in_a_step(const TopologyOptions& options, const MakeCompressor& make, std::size_t n) {
  const TopologyPlan plan(options, *make());
  std::vector<Sent> each(static_cast<std::size_t>(options.workers));
  run_workers({.workers = options.workers}, [&](Worker& me) {
    toy::Gradients gradients({n / 2, n / 2}), mean({n / 2, n / 2});
    gradients.fill(0, 0);
    const auto topology = plan.join(me);
    toy::exchange_mean(*topology, *make(), {}, gradients.views(), mean.views());
    const auto& sent = me.counters();
    each[static_cast<std::size_t>(me.rank())] = {
        .payload = sent.payload_bytes_sent,
        .messages = sent.messages_sent,
        .headers = sent.bytes_sent - sent.payload_bytes_sent,
        .up = topology->message_bytes()};
  });
  Sent all;
  for (const auto& one : each) {
    all.payload += one.payload;
    all.messages += one.messages;
    all.headers += one.headers;
    all.up = one.up;
  }
  EXPECT_EQ(all.headers, 32 * all.messages);
  return all;
}

class Bytes : public testing::TestWithParam<std::uint64_t> {
 protected:
  static constexpr std::size_t kN = 2000;  // values; not a multiple of 32 · W
  std::uint64_t w() const { return GetParam(); }
  TopologyOptions ring() const { return {TopologyKind::ring, static_cast<int>(w())}; }
  TopologyOptions server(std::uint64_t servers) const {
    return {TopologyKind::server, static_cast<int>(w()), static_cast<int>(servers)};
  }
};
INSTANTIATE_TEST_SUITE_P(Workers, Bytes, testing::Values(1, 2, 3, 4, 7));

TEST_P(Bytes, OfLinear) {
  const MakeCompressor make = [] { return std::make_unique<toy::Plain>(); };
  const auto over_ring = sent_in_a_step(ring(), make, kN);
  EXPECT_EQ(over_ring.up, 4 * kN);
  EXPECT_EQ(over_ring.payload, 2 * (w() - 1) * over_ring.up);
  EXPECT_EQ(over_ring.messages, 2 * (w() - 1) * w());
  for (std::uint64_t s = 1; s <= w(); ++s) {
    const auto over_server = sent_in_a_step(server(s), make, kN);
    EXPECT_EQ(over_server.payload, 2 * (w() - 1) * over_server.up);
    EXPECT_EQ(over_server.messages, 2 * s * (w() - 1));
  }
}

TEST_P(Bytes, OfSlices) {
  for (const std::size_t planes : {1, 2}) {
    const MakeCompressor make = [=] { return std::make_unique<toy::Vote>(planes); };
    const auto check_run = [&](const TopologyOptions& options, std::uint64_t owners) {
      const auto sent = sent_in_a_step(options, make, kN);
      const std::uint64_t up = 4 * ((kN + 31) / 32), down = planes * up;
      EXPECT_EQ(sent.up, up);
      EXPECT_EQ(sent.payload, (w() - 1) * (up + down));
      EXPECT_EQ(sent.messages, 2 * owners * (w() - 1));
    };
    check_run(ring(), w());
    for (std::uint64_t s = 1; s <= w(); ++s) check_run(server(s), s);
  }
}

TEST_P(Bytes, OfGather) {
  const MakeCompressor make = [] { return std::make_unique<toy::Peaks>(); };
  const auto over_ring = sent_in_a_step(ring(), make, kN);
  EXPECT_EQ(over_ring.payload, w() * (w() - 1) * over_ring.up);
  EXPECT_EQ(over_ring.messages, w() * (w() - 1));
  for (std::uint64_t s = 1; s <= w(); ++s) {
    const auto over_server = sent_in_a_step(server(s), make, kN);
    const std::uint64_t down = w() * over_server.up;  // the down packet holds all packets
    EXPECT_EQ(over_server.up, over_ring.up);
    EXPECT_EQ(over_server.payload, (w() - 1) * (over_server.up + down));
    EXPECT_EQ(over_server.messages, 2 * std::min<std::uint64_t>(s, 2) * (w() - 1));
  }
}

// As many bytes as a ring all-reduce of halves.
TEST_P(Bytes, OfSumsOfHalves) {
  constexpr std::size_t kWhole = 32 * 84;  // slices of equal size for all numbers of workers
  for (const auto* spec : {"fp16:reduce=wide", "bf16:reduce=hop"}) {
    const MakeCompressor make = [=] { return make_compressor(spec); };
    const auto sent = sent_in_a_step(ring(), make, kWhole);
    EXPECT_EQ(sent.up, 2 * kWhole);
    EXPECT_EQ(sent.payload, w() * (2 * (w() - 1) * 2 * kWhole / w()));
    EXPECT_EQ(sent.messages, 2 * (w() - 1) * w());
    for (std::uint64_t s = 1; s <= w(); ++s) {
      EXPECT_EQ(sent_in_a_step(server(s), make, kWhole).payload, sent.payload);
    }
  }
}

TEST_P(Bytes, OfGatheredVotes) {
  const MakeCompressor make = [] { return make_compressor("vote:exchange=gather"); };
  const std::uint64_t up = 4 * ((kN + 31) / 32);
  const auto over_ring = sent_in_a_step(ring(), make, kN);
  EXPECT_EQ(over_ring.up, up);
  EXPECT_EQ(over_ring.payload, w() * (w() - 1) * up);
  EXPECT_EQ(over_ring.messages, w() * (w() - 1));
  // A server counts the votes, so the down packet has one bit per coordinate.
  EXPECT_EQ(sent_in_a_step(server(1), make, kN).payload, (w() - 1) * 2 * up);
}

TEST_P(Bytes, OfTheLocalReferenceAreNone) {
  const TopologyOptions local{TopologyKind::local, static_cast<int>(w())};
  for (const MakeCompressor& make :
       std::vector<MakeCompressor>{[] { return std::make_unique<toy::Plain>(); },
                                   [] { return std::make_unique<toy::Vote>(); },
                                   [] { return std::make_unique<toy::Peaks>(); }}) {
    const auto sent = sent_in_a_step(local, make, kN);
    EXPECT_EQ(sent.payload + sent.messages, 0);
    EXPECT_GT(sent.up, 0);
  }
}

TEST(MessageBytes, AreThePayloadsOfAllPhases) {
  const MakeCompressor make = [] { return std::make_unique<toy::Scaled>(); };
  EXPECT_EQ(sent_in_a_step({TopologyKind::ring, 2}, make, 100).up, 4 * (2 + 100));
}

}  // namespace
}  // namespace terse
