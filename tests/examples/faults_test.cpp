// Whole runs in which workers attack or die.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "examples/run/task.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {
namespace {

constexpr const char* kData = "synthetic:size=14,train=1000,test=100";

const Dataset& small_images() {
  static const Dataset data = load_dataset(kData, 3);
  return data;
}

RunConfig config_for(const std::string& attack, const std::string& topology = "ring",
                     std::int64_t servers = 1) {
  RunConfig c;
  c.model = "mlp:hidden=20";
  c.data = kData;
  c.workers = 4;
  c.topology = topology;
  c.servers = servers;
  c.batch = 5;
  c.steps = 30;
  c.eval_every = 0;
  c.schedule = "constant";
  c.attack = attack;
  return c;
}

RunResult result_of(RunConfig c, const Listener& listener = {}) {
  complete(c);
  return train(c, small_images(), listener);
}

std::string error_of(const RunConfig& c) {
  try {
    result_of(c);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect_refused(RunConfig c, const std::string& text) {
  try {
    complete(c);
    ADD_FAILURE() << "not refused: " << text;
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
  }
}

TEST(Faults, AnAttackIsTheSameInEveryTopology) {
  for (const std::string attack : {"sign-flip", "random:workers=2", "stale:steps=3", "collude"}) {
    const auto reference = result_of(config_for(attack, "local")).model_hash;
    EXPECT_NE(reference, result_of(config_for("none", "local")).model_hash) << attack;
    EXPECT_EQ(result_of(config_for(attack)).model_hash, reference) << attack;
    EXPECT_EQ(result_of(config_for(attack, "server", 3)).model_hash, reference) << attack;
  }
}

TEST(Faults, AnAsynchronousServerMeetsTheSameAttacks) {
  for (const std::string attack : {"sign-flip", "stale:steps=3"}) {
    auto c = config_for(attack, "async");
    const auto hash = result_of(c).state_hash;
    EXPECT_EQ(result_of(c).state_hash, hash) << attack;
    EXPECT_NE(result_of(config_for("none", "async")).state_hash, hash) << attack;
    c.async.staleness = 0;
    EXPECT_EQ(result_of(c).model_hash, result_of(config_for(attack, "server")).model_hash)
        << attack;
  }
  for (const std::string clock : {"virtual", "real"}) {
    auto c = config_for("die:at=7", "async");
    c.steps = 200;
    c.async.clock = clock;
    c.async.staleness = 1;  // without a bound, the others might make all updates
    EXPECT_EQ(error_of(c), "attack: worker 3 dies at step 7");
    c.attack = "nan:at=7";
    EXPECT_NE(error_of(c).find("got 1 infinite or NaN values on worker 3 at its step 7"),
              std::string::npos);
    c.non_finite = "zero";
    EXPECT_EQ(result_of(c).steps, 200);
  }
  auto c = config_for("bit-flip:rate=0.01,checksum=keep,at=3", "async");
  c.steps = 200;
  expect_refused(c, "a simulation sends no packets");
  c.async.clock = "real";
  c.async.staleness = 1;
  EXPECT_NE(error_of(c).find("got a broken packet from worker 4"), std::string::npos);
}

TEST(Faults, OneLargeGradientSpoilsTheMeanAndNotTheVote) {
  auto mean = config_for("scale:factor=-1000");
  mean.compressor = "none";
  mean.non_finite = "zero";
  mean.steps = 100;
  auto vote = mean;
  vote.compressor = "vote";
  auto honest = vote;
  honest.attack = "none";
  const double chance = std::log(10.0);
  EXPECT_FALSE(result_of(mean).evaluations.back().loss < chance);  // also holds for NaN
  EXPECT_LT(result_of(vote).evaluations.back().loss, 0.7 * chance);
  EXPECT_LT(result_of(honest).evaluations.back().loss, 0.7 * chance);
}

// A skipped step changes nothing, so it counts in no figure.
TEST(Faults, SkippedStepsAreCountedAndSendNothing) {
  auto c = config_for("nan:at=7");
  c.non_finite = "skip_step";
  const auto skipped = result_of(c);
  EXPECT_EQ(skipped.skipped_steps, 1);
  EXPECT_EQ(skipped.steps, c.steps);
  EXPECT_TRUE(skipped.finite);
  EXPECT_TRUE(std::isfinite(skipped.train_loss));
  auto honest = config_for("none");
  honest.steps = c.steps - 1;
  EXPECT_EQ(skipped.bytes_uncompressed, result_of(honest).bytes_uncompressed);
}

TEST(Faults, ManySkippedStepsInARowEndTheRun) {
  auto c = config_for("nan");
  c.non_finite = "skip_step";
  c.max_skipped = 5;
  const auto text = error_of(c);
  EXPECT_NE(text.find("the last 5 steps, up to step 5, were skipped"), std::string::npos) << text;
  EXPECT_NE(text.find("smaller learning rate than 0.05"), std::string::npos) << text;
  c.max_skipped = 0;
  EXPECT_EQ(result_of(c).skipped_steps, c.steps);
}

// The pictures are sorted by class, so the test data of an evicted worker would be whole classes.
TEST(Faults, TheDataOfAWorkerThatLeavesAreDealtAnew) {
  auto c = config_for("die:at=11");
  c.on_failure = "continue";
  c.steps = 200;
  c.eval_every = 1;
  std::string data;
  const Listener listener{
      .on_drop = [&](const DroppedWorker&, std::string_view text) { data = text; }};
  const auto without = result_of(c, listener);
  EXPECT_EQ(
      data,
      "its share of the evaluation is redistributed now, its training data at the next epoch");
  // Every evaluation covers the whole test set of 100 images, so accuracies are multiples of 1/100.
  for (const auto& e : without.evaluations) {
    EXPECT_NEAR(100 * e.accuracy, std::round(100 * e.accuracy), 1e-9);
  }
  for (const std::string partition : {"by-label:2", "by-class:0-4/5-9"}) {
    c.partition = partition;
    result_of(c, listener);
    EXPECT_EQ(data, "its training data are lost (--partition " + partition +
                        "); its share of the evaluation is redistributed");
  }
}

// With a negligible learning rate, the loss of a sample identifies it.
TEST(Faults, ThoseWhoAreLeftReadTheDataOfAll) {
  constexpr const char* kForty = "synthetic:size=8,train=40,test=4";
  const Dataset forty = load_dataset(kForty, 3);
  for (const char* partition : {"iid", "shared"}) {
    auto c = config_for("die:at=0");
    c.on_failure = "continue";
    c.data = kForty;
    c.partition = partition;
    c.batch = 1;
    c.lr = 1e-30;
    c.steps = 20;
    c.eval_every = 1;
    complete(c);

    // The losses of the samples that three workers with one image per step read after the first
    // epoch of ten steps.
    std::set<float> seen;
    double sum = 0;
    for (int rank = 0; rank < 3; ++rank) {
      const auto task = make_task(c, forty, rank, 4);
      task->partition_training(rank, 3, 1);
      for (int step = 0; step < 13; ++step) {
        task->load();
        const float loss = task->loss().item();
        seen.insert(loss);
        if (step < 10) sum += static_cast<double>(loss);
      }
    }
    if (std::string(partition) == "iid") {
      EXPECT_EQ(seen.size(), 39U) << "three workers share one order";
    }

    const auto result = train(c, forty, {});
    ASSERT_EQ(result.dropped.size(), 1U);
    EXPECT_NEAR(result.train_loss, sum / 30, 1e-6) << partition;
  }
}

TEST(Faults, TheReplicasThatAreLeftAreTheSameInEveryTopology) {
  std::map<std::string, RunResult> runs;
  const auto add = [&](const std::string& topology, std::int64_t servers) {
    auto c = config_for("die:at=11,workers=2", topology, servers);
    c.on_failure = "continue";
    c.compressor = "topk:ratio=0.1+ef";
    complete(c);
    int drops = 0;
    auto r = result_of(c, {.on_drop = [&](const DroppedWorker&, std::string_view) { ++drops; }});
    EXPECT_EQ(drops, 2);
    EXPECT_EQ(r.samples, 11 * 4 * 5 + 19 * 2 * 5);
    EXPECT_EQ(r.bytes_sent.size(), 2U);
    ASSERT_EQ(r.dropped.size(), 2U);
    const auto json = to_json(r, c)["dropped_workers"];
    EXPECT_EQ(json[0]["worker"], 2);
    EXPECT_EQ(json[1]["worker"], 3);
    EXPECT_EQ(json[1]["step"], 11);
    EXPECT_EQ(json[1]["error"], "attack: worker 3 dies at step 11");
    runs[topology + std::to_string(servers)] = std::move(r);
  };
  add("local", 1);
  add("ring", 1);
  add("server", 1);
  add("server", 4);
  for (const auto& [name, r] : runs) {
    EXPECT_EQ(r.model_hash, runs.begin()->second.model_hash) << name;
    EXPECT_EQ(r.state_hash, runs.begin()->second.state_hash) << name;
    EXPECT_EQ(r.train_loss, runs.begin()->second.train_loss) << name;
  }
}

TEST(Faults, ReportsAndVirtualTimeGoOn) {
  auto c = config_for("die:at=23,workers=4");
  c.on_failure = "continue";
  EXPECT_EQ(error_of(c).find("attack: worker "), 0U);  // no worker is left
  c.workers = 2;
  c.steps = 60;
  c.attack = "die:at=30,workers=1";
  c.network = "1Gbps,50us";
  c.compute = "1ms";
  std::vector<std::int64_t> reports;
  const auto r =
      result_of(c, {.on_step = [&](const StepReport& report) { reports.push_back(report.step); }});
  EXPECT_EQ(reports, (std::vector<std::int64_t>{25, 50, 60}));
  EXPECT_EQ(r.steps, 60);
  EXPECT_GE(*r.virtual_seconds, 0.060);
}

TEST(Faults, AbortIsTheErrorOfTheDead) {
  EXPECT_EQ(error_of(config_for("die:at=7")), "attack: worker 3 dies at step 7");
}

TEST(Faults, DropWorkerGoesOnWithoutTheNan) {
  auto c = config_for("nan:at=7");
  EXPECT_NE(error_of(c).find("got 1 infinite or NaN values on worker 3 at step 7"),
            std::string::npos);
  c.non_finite = "drop_worker";
  const auto dropped = result_of(c);
  c.attack = "die:at=7";
  c.on_failure = "continue";
  EXPECT_EQ(dropped.state_hash, result_of(c).state_hash);
}

TEST(Faults, PacketsAreSpoiledInTheTrainingLoopAlone) {
  auto c = config_for("bit-flip:rate=0.01,checksum=keep,at=0");
  EXPECT_NE(error_of(c).find("got a broken packet from worker 3"), std::string::npos);
  c.attack = "bit-flip:rate=0.01,checksum=keep,at=30";  // the run ends before this step
  const auto r = result_of(c);
  c.attack = "none";
  EXPECT_EQ(r.state_hash, result_of(c).state_hash);
}

TEST(Faults, WhatCannotBeIsRefusedWithTheReason) {
  expect_refused(config_for("sign-flop"), "did you mean sign-flip?");
  expect_refused(config_for("zero:workers=5"), "at most 4 attackers");
  expect_refused(config_for("drop", "async"), "a simulation sends no packets");
  expect_refused(config_for("drop", "local"), "topology local sends no packets");
  auto local_steps = config_for("zero");
  local_steps.local_steps = 4;
  expect_refused(local_steps, "workers exchange models instead of gradients");
  auto mpi = config_for("none"), meeting = config_for("none"), async = config_for("none", "async");
  mpi.transport = "mpi";
  meeting.local_steps = 4;
  for (const auto& [config, flag, reason] :
       {std::tuple{&mpi, "--transport mpi", "ends the whole job"},
        std::tuple{&meeting, "--local-steps", "agree only when their models are averaged"},
        std::tuple{&async, "--topology async", "no common step"}}) {
    config->on_failure = "continue";
    expect_refused(*config, std::string("--on-failure continue with ") + flag);
    config->on_failure = "abort";
    config->non_finite = "drop_worker";
    expect_refused(*config, reason);
  }
  auto c = config_for("none");
  c.on_failure = "go-on";
  expect_refused(c, "failure policy 'go-on' is not known");
}

}  // namespace
}  // namespace terse::run
