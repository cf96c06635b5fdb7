// Tests of asynchronous runs in real time: threads, messages, and Hogwild.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "async_toys.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

toy::AsyncOutcome real(const std::string& rule, int workers, std::uint64_t updates,
                       const std::string& compressor = "none", bool sparse_pulls = false,
                       std::optional<std::uint64_t> bound = std::nullopt) {
  return toy::run({.options = {.workers = workers,
                               .updates = updates,
                               .compressor = compressor,
                               .rule = rule,
                               .bound = bound,
                               .sparse_pulls = sparse_pulls,
                               .clock = AsyncClock::real_time}});
}

double norm_of(const std::vector<float>& values) {
  double squares = 0;
  for (const float value : values)
    squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares);
}

TEST(RealTime, EveryRuleFinishesAndRecordsEveryPush) {
  for (const char* rule : {"vanilla", "softsync:n=2", "k_async:k=3", "backup:spare=1",
                           "staleness_aware", "dc_asgd", "hogwild"}) {
    for (const int workers : {4, 9}) {
      const auto run = real(rule, workers, 400, "topk:ratio=0.2+ef");
      EXPECT_EQ(run.result.updates, 400U) << rule;
      EXPECT_EQ(run.result.staleness.pushes(), run.applied.size()) << rule;
      EXPECT_GE(run.applied.size(), 400U) << rule;
      const auto counted = run.result.staleness.histogram();
      EXPECT_EQ(std::accumulate(counted.begin(), counted.end(), std::uint64_t{0}),
                run.applied.size());
      EXPECT_LT(norm_of(run.values), 0.5 * norm_of(toy::Bowl().values())) << rule;
    }
  }
}

TEST(RealTime, AServerRecordsTheStalenessThatTheVersionsSay) {
  const auto run = real("vanilla", 4, 400);
  std::vector<std::uint64_t> last(4);
  for (const auto& [update, push] : run.applied) {
    EXPECT_EQ(push.staleness, update - 1 - push.read);
    EXPECT_EQ(push.read, last[static_cast<std::size_t>(push.worker)]);
    last[static_cast<std::size_t>(push.worker)] = update;
  }
}

TEST(RealTime, ABoundHolds) {
  const auto run = real("vanilla", 4, 400, "none", false, 2);
  std::vector<std::uint64_t> clocks(4);
  for (const int worker : run.pushed) {
    EXPECT_LE(clocks[static_cast<std::size_t>(worker)], std::ranges::min(clocks) + 2);
    ++clocks[static_cast<std::size_t>(worker)];
  }
}

TEST(RealTime, SparsePullsGiveTheModelToTheBit) {
  for (const bool sparse : {false, true}) {  // one worker: the run repeats
    EXPECT_EQ(real("vanilla", 1, 100, "topk:k=2+ef", sparse).values,
              real("vanilla", 1, 100, "topk:k=2+ef").values);
  }
  const auto dense = real("vanilla", 3, 200, "topk:k=2+ef").result;
  const auto sparse = real("vanilla", 3, 200, "topk:k=2+ef", true).result;
  std::uint64_t dense_down = 0, sparse_down = 0;
  for (std::size_t w = 0; w < 3; ++w) {
    dense_down += dense.traffic[w].bytes_down;
    sparse_down += sparse.traffic[w].bytes_down;
  }
  EXPECT_LT(sparse_down, dense_down);
}

TEST(RealTime, HogwildOfOneWorkerIsPlainDescent) {
  const auto run = real("hogwild", 1, 100);
  toy::Bowl bowl;
  auto x = bowl.values();
  for (std::uint64_t t = 0; t < 100; ++t) {
    const auto g = toy::bowl_gradient(x, 0, t);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] -= 0.01F * g[i];
  }
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(run.values[i], x[i], 1e-6);
  EXPECT_EQ(run.result.staleness.most(), 0U);
  EXPECT_EQ(run.result.traffic.front().bytes_up, 0U);
}

struct ThrowingLearner final : toy::BowlLearner {
  using BowlLearner::BowlLearner;
  Result gradient(std::span<const float> x) override {
    check(worker_ != 2 || step_ < 5, "the disk is full");
    return BowlLearner::gradient(x);
  }
};

TEST(RealTime, TheErrorOfAWorkerEndsTheRun) {
  for (const char* rule : {"vanilla", "k_async:k=4", "hogwild"}) {
    toy::AsyncSetting setting{
        .options = {.workers = 4, .updates = 100'000, .rule = rule, .clock = AsyncClock::real_time},
        .make_learner = [](int worker) { return std::make_unique<ThrowingLearner>(worker); }};
    try {
      toy::run(setting);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "the disk is full");
    }
  }
}

// ---- receiving from anyone ----------------------------------------------------------------------

TEST(RecvAny, ServesWhoeverHasSentInTurn) {
  run_workers({.workers = 3}, [](Worker& me) {
    constexpr int kEach = 50;
    if (me.rank() != 0) {
      for (std::uint32_t i = 0; i < kEach; ++i) me.send(0, Packet({.step = i}, 4));
      me.barrier();
      return;
    }
    me.barrier();  // all packets have arrived
    std::vector<std::uint64_t> taken(3);
    Packet in;
    int before = 0;
    for (int i = 0; i < 2 * kEach; ++i) {
      const int from = me.recv_any(
          {}, [&](int sender) { return taken[sender]; }, in);
      EXPECT_NE(from, before);
      ++taken[static_cast<std::size_t>(from)];
      before = from;
    }
    EXPECT_EQ(taken, (std::vector<std::uint64_t>{0, kEach, kEach}));
    EXPECT_EQ(me.counters().messages_received, 2U * kEach);
  });
}

TEST(RecvAny, WaitsInBothExecutors) {
  for (const auto executor : {Executor::concurrent, Executor::turns}) {
    run_workers({.workers = 4, .executor = executor}, [](Worker& me) {
      if (me.rank() != 3) return me.send(3, Packet({}, 4));
      Packet in;
      for (int i = 0; i < 3; ++i)
        me.recv_any(
            {}, [](int) { return 0; }, in);
    });
  }
}

TEST(RecvAny, EndsWhenNobodyIsLeftOrTheDeadlinePasses) {
  const auto error_of = [](const WorkerOptions& options, bool others_stay) -> std::string {
    try {
      run_workers(options, [&](Worker& me) {
        Packet in;
        if (me.rank() == 0)
          me.recv_any(
              {.step = 7}, [](int) { return 7; }, in);
        if (others_stay) me.barrier();
      });
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(error_of({.workers = 3}, false),
            "deadlock: worker 0 waits for any (packet up of phase 0, step 7); worker 0 waits for "
            "any (packet up of phase 0, step 7), worker 1 has left, worker 2 has left");
  EXPECT_EQ(error_of({.workers = 2, .deadline = std::chrono::milliseconds(50)}, true)
                .rfind("timeout: worker", 0),
            0U);
}

}  // namespace
}  // namespace terse
