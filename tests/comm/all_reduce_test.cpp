// Tests of tree and halving: sums, bytes, and times in a modelled network, against formulas.
#include "tersegrad/comm/collectives/all_reduce.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>
#include <vector>

#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

constexpr double kTolerance = 1e-12, kHeader = 32;

class AllReduceOf : public testing::TestWithParam<std::tuple<AllReduce, int>> {
 protected:
  AllReduce kind() const { return std::get<0>(GetParam()); }
  int workers() const { return std::get<1>(GetParam()); }
  int core() const { return static_cast<int>(std::bit_floor(static_cast<unsigned>(workers()))); }
  int outside() const { return workers() - core(); }
  int rounds() const { return std::bit_width(static_cast<unsigned>(core())) - 1; }
};
INSTANTIATE_TEST_SUITE_P(Workers, AllReduceOf,
                         testing::Combine(testing::Values(AllReduce::tree, AllReduce::halving),
                                          testing::Values(1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 31)),
                         [](const auto& suite) {
                           return std::string(to_string(std::get<0>(suite.param))) + "W" +
                                  std::to_string(std::get<1>(suite.param));
                         });

TEST_P(AllReduceOf, SmallIntegersIsTheirSum) {
  run_workers({.workers = workers()}, [&](Worker& me) {
    AllReducer reducer(me, kind(), {});
    for (const std::size_t n : {0U, 1U, 5U, 1000U}) {
      std::vector<float> values(n);
      for (std::size_t i = 0; i < n; ++i)
        values[i] = static_cast<float>(i % 100 * (me.rank() + 1U));
      reducer.run(values, {.step = n});
      const auto sum = static_cast<unsigned>(me.size() * (me.size() + 1) / 2);
      for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(values[i], static_cast<float>(i % 100 * sum));
    }
  });
}

TEST_P(AllReduceOf, EveryWorkerGetsTheSameBitsAndNearlyTheRings) {
  const std::size_t n = 777;
  std::vector<std::vector<float>> results(static_cast<std::size_t>(workers()));
  run_workers({.workers = workers()}, [&](Worker& me) {
    toy::Gradients input({n});
    input.fill(me.rank(), 3);
    auto ring = input.values, own = input.values;
    AllReducer(me, AllReduce::ring, {}).run(ring, {});
    AllReducer(me, kind(), {}).run(own, {});
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < n; ++i) {
      difference += std::pow(static_cast<double>(own[i]) - static_cast<double>(ring[i]), 2);
      norm += std::pow(static_cast<double>(ring[i]), 2);
    }
    EXPECT_LT(std::sqrt(difference / norm), 1e-6);
    results[static_cast<std::size_t>(me.rank())] = own;
  });
  for (const auto& result : results) EXPECT_EQ(result, results.front());
}

TEST_P(AllReduceOf, BytesAndMessagesFollowTheFormulas) {
  const std::size_t n = 1000;  // not a multiple of every size of the core
  std::vector<Counters> counted(static_cast<std::size_t>(workers()));
  run_workers({.workers = workers()}, [&](Worker& me) {
    std::vector<float> values(n);
    AllReducer(me, kind(), {}).run(values, {});
    counted[static_cast<std::size_t>(me.rank())] = me.counters();
  });
  std::uint64_t payload = 0, messages = 0;
  for (const auto& one : counted) {
    payload += one.payload_bytes_sent;
    messages += one.messages_sent;
    EXPECT_EQ(one.bytes_sent, one.payload_bytes_sent + 32 * one.messages_sent);
  }
  const auto w = static_cast<std::uint64_t>(workers());
  EXPECT_EQ(payload, 2 * (w - 1) * 4 * n);
  const int of_halving = 2 * core() * rounds() + 2 * outside();
  EXPECT_EQ(messages,
            kind() == AllReduce::tree ? 2 * (w - 1) : static_cast<std::uint64_t>(of_halving));
}

TEST_P(AllReduceOf, TimeFollowsTheFormula) {
  const LinkSpeed link{.latency = 50e-6, .bytes_per_second = 125e6};
  const std::size_t n = 32 * 120;  // a multiple of every core
  const double bytes = 4 * n;
  double latest = 0;
  run_workers({.workers = workers(),
               .virtual_time = VirtualTime{.network = parse_network("1Gbps,50us"),
                                           .local_work = LocalWork::declared}},
              [&](Worker& me) {
                std::vector<float> values(n);
                AllReducer(me, kind(), {}).run(values, {});
                latest = std::max(latest, me.virtual_clock()->now());
              });
  const double header = kHeader / link.bytes_per_second;
  const double formula = all_reduce_seconds(kind(), workers(), 4 * n, link);
  if (kind() == AllReduce::halving) {
    const int messages = 2 * rounds() + (outside() > 0 ? 2 : 0);  // sequential messages
    EXPECT_NEAR(latest, formula + messages * header, kTolerance);
  } else if (outside() == 0) {
    EXPECT_NEAR(latest, formula + 2 * rounds() * header, kTolerance);
  } else {
    // In an incomplete tree rounds overlap. The time is below the formula and above that of the
    // complete tree with one round less.
    EXPECT_LT(latest, formula + 2 * (rounds() + 1) * header);
    EXPECT_GT(latest, 2 * rounds() * (link.latency + bytes / link.bytes_per_second));
  }
}

TEST(BestAllReduce, IsTheQuickestByTheTable) {
  const LinkSpeed link;
  for (int workers = 1; workers <= 70; ++workers) {
    for (std::size_t bytes = 1; bytes < std::size_t{1} << 30; bytes *= 3) {
      const auto best = best_all_reduce(workers, bytes, link);
      for (const auto kind : {AllReduce::ring, AllReduce::tree, AllReduce::halving}) {
        EXPECT_LE(all_reduce_seconds(best, workers, bytes, link),
                  all_reduce_seconds(kind, workers, bytes, link));
      }
      if (workers > 2 && std::has_single_bit(static_cast<unsigned>(workers))) {
        EXPECT_EQ(best, AllReduce::halving);
      }
    }
  }
  // The crossovers that the header states, at 20 us and 10 Gbit/s.
  const auto best = [&](int workers, std::size_t bytes) {
    return best_all_reduce(workers, bytes, link);
  };
  EXPECT_EQ(best(3, 1), AllReduce::ring);
  for (const auto& [workers, bytes] : {std::pair{5, 26'315}, {12, 182'608}, {1000, 24'748'588}}) {
    EXPECT_EQ(best(workers, static_cast<std::size_t>(bytes)), AllReduce::halving) << workers;
    EXPECT_EQ(best(workers, static_cast<std::size_t>(bytes) + 1), AllReduce::ring) << workers;
  }
}

TEST(AllReduceKind, ReadsTheNamesThatItPrints) {
  for (const auto kind :
       {AllReduce::ring, AllReduce::tree, AllReduce::halving, AllReduce::automatic}) {
    EXPECT_EQ(parse_all_reduce(to_string(kind)), kind);
  }
  EXPECT_THROW(parse_all_reduce("trie"), UsageError);
  TopologyOptions options{.kind = TopologyKind::server, .workers = 2};
  options.all_reduce = AllReduce::tree;
  EXPECT_THROW(TopologyPlan(options, toy::Plain()), UsageError);
}

}  // namespace
}  // namespace terse
