// After a worker has died between two steps, the others continue bit for bit like a run that
// consists of them only, or the run ends with one clear error.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "run_errors.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/safetensors.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

constexpr int kWorkers = 4;
constexpr std::uint64_t kSteps = 7;

// The replica of one worker. Its gradients depend on the worker and the step.
class Replica {
 public:
  Replica(Worker& me, const TopologyPlan& plan, std::unique_ptr<Compressor> compressor,
          const DistributedOptimizer::Options& options)
      : rule_(toy::rule_for(compressor->spec(), "sgd:momentum=0.9")),
        optimizer(me, parameters_, *rule_, std::move(compressor), plan.join(me), options) {}

  void step(int whose, std::uint64_t step) {
    gradients_.fill(whose, step);
    const std::span<const float> flat(gradients_.values);
    optimizer.zero_grad();
    x_.backward(Tensor::from({40, 10}, flat.first(400)));
    y_.backward(Tensor::from({30}, flat.subspan(400)));
    optimizer.step(0.01F);
  }
  std::vector<std::byte> state() {
    return safetensors_of([&](Archive& archive) { optimizer.serialize(archive); });
  }

 private:
  static Tensor ones(Shape shape) {
    Tensor t = Tensor::full(shape, 1);
    t.set_requires_grad();
    return t;
  }
  Tensor x_ = ones({40, 10}), y_ = ones({30});
  ParameterBuffer parameters_{std::vector<ParameterBuffer::Named>{{"x", x_}, {"y", y_}}};
  std::unique_ptr<UpdateRule> rule_;
  toy::Gradients gradients_{{400, 30}};

 public:
  DistributedOptimizer optimizer;
};

using States = std::map<int, std::vector<std::byte>>;  // by the worker's rank at the start

struct Outcome {
  std::string error;
  States at_death, at_end;
  std::vector<DroppedWorker> dropped;
};

struct Scene {
  std::string compressor = "none";
  TopologyOptions topology = {TopologyKind::ring, kWorkers};
  WorkerOptions workers = {
      .workers = kWorkers, .executor = Executor::turns, .on_failure = OnFailure::go_on};
  NonFinite non_finite = NonFinite::abort;
  std::string attack = "none";
  std::map<int, std::uint64_t> deaths = {};  // by worker: the step before which it dies
};

// Throws if the worker dies before this step.
void die_if_told(const Scene& s, int rank, std::uint64_t step) {
  const auto death = s.deaths.find(rank);
  if (death != s.deaths.end() && death->second == step) throw Error("out of memory");
}

Outcome train(const Scene& s) {
  Outcome outcome;
  std::mutex mutex;
  const TopologyPlan plan(s.topology, *make_compressor(s.compressor));
  try {
    run_workers(s.workers, [&](Worker& me) {
      const int rank = me.rank();
      Replica replica(
          me, plan, make_compressor(s.compressor),
          {.seed = 2,
           .non_finite = s.non_finite,
           .attack = parse_attack(s.attack),
           .make_smaller_topology = [&](Worker& self) { return plan.join_smaller(self); },
           .on_drop = [&](const DroppedWorker& d) { outcome.dropped.push_back(d); }});
      for (std::uint64_t step = 0; step < kSteps; ++step) {
        if (step == 3) {
          const std::lock_guard lock(mutex);
          outcome.at_death[rank] = replica.state();
        }
        die_if_told(s, rank, step);
        replica.step(rank, step);
      }
      const std::lock_guard lock(mutex);
      outcome.at_end[rank] = replica.state();
    });
  } catch (const std::exception& error) {
    outcome.error = error.what();
  }
  return outcome;
}

// Runs step 3 to the last step with these workers alone, from their states.
States train_alone(const Scene& s, const States& states) {
  States ends;
  std::mutex mutex;
  std::vector<int> whose;
  for (const auto& [rank, state] : states) whose.push_back(rank);
  auto options = s.topology;
  options.workers = static_cast<int>(whose.size());
  options.servers = std::min(options.servers, options.workers);
  auto workers = s.workers;
  workers.workers = options.workers;
  const TopologyPlan plan(options, *make_compressor(s.compressor));
  run_workers(workers, [&](Worker& me) {
    const int rank = whose[static_cast<std::size_t>(me.rank())];
    Replica replica(me, plan, make_compressor(s.compressor), {.seed = 2});
    load_safetensors("saved", states.at(rank),
                     [&](Archive& archive) { replica.optimizer.serialize(archive); });
    for (std::uint64_t step = 3; step < kSteps; ++step) replica.step(rank, step);
    const std::lock_guard lock(mutex);
    ends[rank] = replica.state();
  });
  return ends;
}

std::vector<TopologyOptions> topologies() {
  return {{TopologyKind::local, kWorkers},
          {TopologyKind::ring, kWorkers},
          {.kind = TopologyKind::ring, .workers = kWorkers, .all_reduce = AllReduce::halving},
          {TopologyKind::server, kWorkers, 2},
          {TopologyKind::server, kWorkers, 4}};
}

TEST(OnFailure, TheOthersGoOnBitForBitAsIfTheyHadBegunAlone) {
  for (const auto& topology : topologies()) {
    for (const auto& entry : compressor_registry()) {
      for (const int dead : {0, 1, 3}) {
        Scene s{.compressor = std::string(entry.example), .topology = topology};
        s.deaths[dead] = 3;
        auto together = train(s);
        const auto where = s.compressor + " over " + std::string(to_string(topology.kind)) +
                           " without " + std::to_string(dead);
        ASSERT_EQ(together.error, "") << where;
        ASSERT_EQ(together.at_end.size(), 3U) << where;
        together.at_death.erase(dead);
        EXPECT_TRUE(train_alone(s, together.at_death) == together.at_end) << where;
        ASSERT_EQ(together.dropped.size(), 1U) << where;
        EXPECT_EQ(together.dropped[0].worker, dead);
        EXPECT_EQ(together.dropped[0].step, 3U);
        EXPECT_EQ(together.dropped[0].error, "out of memory");
      }
    }
  }
}

TEST(OnFailure, EveryExecutorTakesTheSameSteps) {
  Scene s{.compressor = "topk:ratio=0.1+ef", .topology = {TopologyKind::server, kWorkers, 2}};
  s.deaths = {{1, 3}};
  const auto turns = train(s);
  ASSERT_EQ(turns.at_end.size(), 3U) << turns.error;
  s.workers.executor = Executor::concurrent;
  EXPECT_EQ(train(s).at_end, turns.at_end);
  s.workers.virtual_time = {.network = parse_network("1Gbps,100us"),
                            .local_work = LocalWork::declared};
  const auto modelled = train(s);
  EXPECT_EQ(modelled.error, "");
  EXPECT_EQ(modelled.at_end, turns.at_end);
}

TEST(OnFailure, SeveralMayDieAtOnceOrOneAfterTheOther) {
  for (const auto executor : {Executor::concurrent, Executor::turns}) {
    Scene s{.compressor = "vote"};
    s.workers.executor = executor;
    s.deaths = {{0, 2}, {2, 2}, {3, 4}};
    const auto outcome = train(s);
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.at_end.size(), 1U);
    ASSERT_EQ(outcome.dropped.size(), 3U);
    EXPECT_EQ(outcome.dropped[0].worker, 0);
    EXPECT_EQ(outcome.dropped[1].worker, 2);
    EXPECT_EQ(outcome.dropped[2].worker, 3);
    EXPECT_EQ(outcome.dropped[2].step, 4U);
  }
}

TEST(OnFailure, WhenAllDieTheFirstErrorComesOut) {
  for (const auto executor : {Executor::concurrent, Executor::turns}) {
    Scene s;
    s.workers.executor = executor;
    s.deaths = {{0, 2}, {1, 2}, {2, 2}, {3, 2}};
    EXPECT_EQ(train(s).error, "out of memory");
  }
}

TEST(OnFailure, AbortEndsTheRunWithTheErrorOfTheDead) {
  for (const auto& topology : topologies()) {
    Scene s{.topology = topology, .attack = "die:at=3,workers=1"};
    s.workers.on_failure = OnFailure::abort;
    const auto aborted = train(s);
    EXPECT_EQ(aborted.error, "attack: worker 3 dies at step 3");
    EXPECT_TRUE(aborted.at_end.empty());
    s.workers.on_failure = OnFailure::go_on;
    const auto gone_on = train(s);
    ASSERT_EQ(gone_on.dropped.size(), 1U) << gone_on.error;
    EXPECT_EQ(gone_on.dropped[0].error, aborted.error);
  }
}

// ---- within an exchange -------------------------------------------------------------------------

class Fragile final : public toy::Toy {
 public:
  enum class Where { encode, decode };
  Fragile(Where where, bool breaks) : where_(where), breaks_(breaks) {}
  std::string spec() const override { return "fragile"; }
  Traits traits(std::uint64_t step) const override { return plain_.traits(step); }
  void encode(const Round& round, std::span<const GradView> grads, Packet& up) override {
    fail_at(Where::encode, round);
    plain_.encode(round, grads, up);
  }
  const GradientSource& decode(const Round& round, const Packet& down,
                               std::span<const GradView> out) override {
    fail_at(Where::decode, round);
    return plain_.decode(round, down, out);
  }

 private:
  void fail_at(Where where, const Round& round) const {
    check<PacketError>(!breaks_ || where != where_ || round.step != 2, "fragile: broken");
  }
  Where where_;
  bool breaks_;
  toy::Plain plain_;
};

TEST(OnFailure, WithinAnExchangeEndsTheRunAndSaysSo) {
  for (const auto where : {Fragile::Where::encode, Fragile::Where::decode}) {
    for (const auto executor : {Executor::concurrent, Executor::turns}) {
      for (const auto& topology : topologies()) {
        const TopologyPlan plan(topology, toy::Plain());
        std::string text;
        try {
          run_workers({.workers = kWorkers, .executor = executor, .on_failure = OnFailure::go_on},
                      [&](Worker& me) {
                        const int rank = me.rank();
                        Replica replica(me, plan, std::make_unique<Fragile>(where, rank == 2),
                                        {.make_smaller_topology = [&](Worker& self) {
                                          return plan.join_smaller(self);
                                        }});
                        for (std::uint64_t step = 0; step < 5; ++step) replica.step(rank, step);
                      });
        } catch (const Error& error) {
          text = error.what();
        }
        EXPECT_EQ(text,
                  "worker 2 failed within an exchange, where the others may disagree about the "
                  "step, so the run cannot continue: fragile: broken");
      }
    }
  }
}

TEST(OnFailure, WhoWaitsForTheDeadElsewhereEndsTheRun) {
  for (const auto executor : {Executor::concurrent, Executor::turns}) {
    const auto run = [&](FunctionRef<void(Worker&)> wait) -> std::string {
      try {
        run_workers({.workers = 3, .executor = executor, .on_failure = OnFailure::go_on},
                    [&](Worker& me) {
                      if (me.rank() == 1) throw Error("out of memory");
                      wait(me);
                    });
      } catch (const Error& error) {
        return error.what();
      }
      return "no error";
    };
    const auto received = run([](Worker& me) { me.recv(1, {}); });
    EXPECT_TRUE(says(received, "worker 1 has died: out of memory; worker ")) << received;
    EXPECT_TRUE(says(received, " waited for it within an exchange")) << received;
    const auto barrier = run([](Worker& me) { me.barrier(); });
    EXPECT_TRUE(says(barrier, "deadlock: ") && says(barrier, "worker 1 has died: out of memory"))
        << barrier;
  }
}

TEST(OnFailure, WhatTheDeadHasSentIsStillTaken) {
  for (const auto executor : {Executor::concurrent, Executor::turns}) {
    std::string after;
    run_workers({.workers = 2, .executor = executor, .on_failure = OnFailure::go_on},
                [&](Worker& me) {
                  if (me.rank() == 1) {
                    me.send(0, Packet({.step = 7}, 4));
                    throw Error("gone");
                  }
                  EXPECT_EQ(me.recv(1, {.step = 7}).payload().size(), 4U);
                  try {
                    me.recv(1, {.step = 8});
                  } catch (const WorkerLost& loss) {
                    after = loss.what();
                  }
                });
    EXPECT_EQ(after, "worker 1 has died: gone");
  }
}

// ---- drop_worker --------------------------------------------------------------------------------

TEST(DropWorker, IsAsIfTheWorkerHadDied) {
  for (const auto& topology : topologies()) {
    for (const std::string compressor : {"none", "powersgd:rank=2+ef", "vote", "topk+ef"}) {
      Scene dies{.compressor = compressor, .topology = topology, .attack = "die:at=3,workers=2"};
      Scene bad{.compressor = compressor,
                .topology = topology,
                .non_finite = NonFinite::drop_worker,
                .attack = "nan:at=3,workers=2"};
      bad.workers.on_failure = OnFailure::abort;
      const auto one = train(dies), other = train(bad);
      EXPECT_EQ(one.error, "");
      EXPECT_EQ(other.error, "");
      ASSERT_EQ(other.at_end.size(), 2U);
      EXPECT_EQ(other.at_end, one.at_end);
      ASSERT_EQ(other.dropped.size(), 2U);
      EXPECT_EQ(other.dropped[1].worker, 3);
      EXPECT_EQ(other.dropped[1].error, "gradient: 1 infinite or NaN values, the first in x");
    }
  }
}

TEST(DropWorker, NobodyIsLeftIsAnError) {
  Scene s{.non_finite = NonFinite::drop_worker, .attack = "nan:at=3,workers=4"};
  EXPECT_TRUE(says(train(s).error,
                   "gradient: all values must be finite; got 1 infinite or NaN "
                   "values on worker 0 at step 3, the first in x"));
}

TEST(DropWorker, NeedsAWayToMeetAgain) {
  const TopologyPlan plan({TopologyKind::ring, 1}, toy::Plain());
  EXPECT_THROW(run_workers({.workers = 1},
                           [&](Worker& me) {
                             Replica(me, plan, std::make_unique<toy::Plain>(),
                                     {.non_finite = NonFinite::drop_worker});
                           }),
               UsageError);
}

}  // namespace
}  // namespace terse
