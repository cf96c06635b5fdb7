// Asynchronous runs in a modelled network, against times computed by hand, all to 1e-12 s.
#include <gtest/gtest.h>

#include <cmath>

#include "async_toys.hpp"

namespace terse {
namespace {

constexpr double kTolerance = 1e-12;
constexpr double kRate = 1e6 / 8, kLatency = 50e-6, kCompute = 0.02;
constexpr double kPush = (32 + 4 * 100) / kRate;      // of a dense gradient
constexpr double kPull = (32 + 8 + 4 * 100) / kRate;  // of the model

AsyncOptions options(int workers, std::uint64_t updates, const std::string& network = "1Mbps,50us",
                     const std::string& compressor = "none") {
  return {.workers = workers,
          .updates = updates,
          .seed = 3,
          .compressor = compressor,
          .durations = "constant",
          .compute = kCompute,
          .network = parse_network(network)};
}

double seconds(const AsyncOptions& options) {
  return toy::run({.options = options}).result.seconds;
}

TEST(AsyncNetwork, OneWorkerWaitsForBothWays) {
  const double way = 2 * kLatency + kPull + kPush;
  const auto result = toy::run({.options = options(1, 50)}).result;
  EXPECT_NEAR(result.seconds, 50 * (kCompute + way), kTolerance);
  EXPECT_NEAR(result.virtual_times[Part::compute], 50 * kCompute, kTolerance);
  EXPECT_NEAR(result.virtual_times[Part::exchange], 50 * way, kTolerance);
  EXPECT_EQ(result.virtual_times[Part::encode], 0);
}

// The server's NIC sends the first model of worker 1 after that of worker 0. This offset persists:
// a pull takes longer than a push, and no other messages overlap.
TEST(AsyncNetwork, ModelsLeaveTheServerOneAfterTheOther) {
  const auto run = toy::run({.options = options(2, 40)});
  const double round = kCompute + 2 * kLatency + kPull + kPush;
  for (std::size_t i = 0; i < 40; ++i) {
    const double expected = static_cast<double>(i / 2 + 1) * round + (i % 2 == 0 ? 0 : kPull);
    EXPECT_NEAR(run.seconds[i], expected, kTolerance) << i;
    EXPECT_EQ(run.pushed[i], static_cast<int>(i % 2));
  }
}

TEST(AsyncNetwork, PushesArriveAtTheServerOneAfterTheOther) {
  auto two = options(2, 2);
  two.speeds = {1 / (1 + kPull / kCompute), 1};  // both workers end at the same time
  const auto run = toy::run({.options = two});
  const double first_byte = 2 * kLatency + 2 * kPull + kCompute;
  EXPECT_NEAR(run.seconds[0], first_byte + kPush, kTolerance);
  EXPECT_NEAR(run.seconds[1], first_byte + 2 * kPush, kTolerance);
}

TEST(AsyncNetwork, WithoutStalenessARoundHasAllModelsInIt) {
  auto synchronous = options(3, 20);
  synchronous.bound = 0;
  EXPECT_NEAR(seconds(synchronous), 20 * (kCompute + 2 * kLatency + 3 * kPull + kPush), kTolerance);
}

TEST(AsyncNetwork, TheServerIsOneMoreWorkerOfIt) {
  const auto one = [](const std::string& more) {
    return seconds(options(1, 10, "1Mbps,50us" + more));
  };
  const double way = 2 * kLatency + kPull + kPush;
  EXPECT_NEAR(one(",card=1:250Kbps"), 10 * (kCompute + way + 3 * (kPull + kPush)), kTolerance);
  EXPECT_NEAR(one(",link=0-1:5ms"), 10 * (kCompute + way + 2 * (5e-3 - kLatency)), kTolerance);
  EXPECT_NEAR(one(",slow=0:3"), 10 * (3 * kCompute + way), kTolerance);
}

TEST(AsyncNetwork, CompressionShortensWhatItSends) {
  const auto dense = options(1, 50), sparse = options(1, 50, "1Mbps,50us", "topk:k=2");
  const double packet = (32 + 2 * 2 * 8) / kRate;
  EXPECT_NEAR(seconds(sparse), seconds(dense) - 50 * (kPush - packet), kTolerance);
  auto pulls = sparse;
  pulls.sparse_pulls = true;  // all except the first: two words, a count, four coordinates
  const double pull = (32 + 8 + 4 + 4 * 8) / kRate;
  EXPECT_NEAR(seconds(pulls), seconds(sparse) - 49 * (kPull - pull), kTolerance);
}

// Sixteen workers that compute in almost no time: the server's NIC is never idle.
TEST(AsyncNetwork, TheServersCardIsTheLimit) {
  auto many = options(16, 1000);
  many.compute = 1e-6;
  many.durations = "exponential";
  const auto run = toy::run({.options = many});
  EXPECT_NEAR(run.result.seconds / (1000 * kPull), 1, 0.01);
  // Workers queue for the NIC in turn, so the deviation of the staleness is far below the 15.5 that
  // the same durations give without a network.
  EXPECT_NEAR(run.result.staleness.mean(), 15, 0.2);
  EXPECT_LT(run.result.staleness.deviation(), 2);
  many.network.reset();
  EXPECT_GT(toy::run({.options = many}).result.staleness.deviation(), 12);
}

TEST(AsyncNetwork, OfNoTimeChangesNothing) {
  auto quick = options(7, 300, "1Tbps,0us", "topk:ratio=0.1+ef");
  quick.durations = "exponential";
  auto none = quick;
  none.network.reset();
  const auto in_network = toy::run({.options = quick}), without = toy::run({.options = none});
  EXPECT_EQ(in_network.pushed, without.pushed);
  EXPECT_EQ(in_network.values, without.values);
  EXPECT_NEAR(in_network.result.seconds, without.result.seconds, 1e-5);
  EXPECT_GT(in_network.result.seconds, without.result.seconds);
}

TEST(AsyncNetwork, RepeatsBitForBitWithJitterAndLoss) {
  const auto outcome = [](std::uint64_t seed, const std::string& rule) {
    auto all = options(6, 300, "1Mbps,50us,jitter=2ms,loss=0.2,slow=2:3", "topk:ratio=0.1+ef");
    all.durations = "exponential";
    all.seed = seed;
    all.rule = rule;
    return toy::run({.options = all}).result;
  };
  for (const auto* rule : {"vanilla", "k_async:k=3", "backup:spare=2", "softsync:n=2"}) {
    const auto once = outcome(3, rule), again = outcome(3, rule), other = outcome(4, rule);
    EXPECT_EQ(once.state_hash, again.state_hash);
    EXPECT_EQ(once.seconds, again.seconds);
    EXPECT_EQ(once.virtual_times.seconds, again.virtual_times.seconds);
    EXPECT_NE(once.seconds, other.seconds);
  }
}

// The times of the parts, of all workers, add up to the times at which their last pushes arrived.
TEST(AsyncNetwork, ComputingAndTheRestAreAllTheTimeThereIs) {
  const auto run = toy::run({.options = options(5, 203)});
  std::vector<double> last(5);
  for (std::size_t i = 0; i < run.pushed.size(); ++i) {
    last[static_cast<std::size_t>(run.pushed[i])] = run.seconds[i];
  }
  double sum = 0;
  for (const double time : last) sum += time;
  const auto& times = run.result.virtual_times;
  EXPECT_NEAR(times[Part::compute] + times[Part::exchange], sum, 1e-10);
  EXPECT_NEAR(times[Part::compute], 203 * kCompute, 1e-10);
}

}  // namespace
}  // namespace terse
