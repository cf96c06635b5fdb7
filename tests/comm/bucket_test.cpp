// An exchange in buckets gives the same result as one exchange.
#include "tersegrad/comm/topology/bucket.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/random.hpp"
#include "toy_compressors.hpp"

namespace terse {
namespace {

// ---- the cut ------------------------------------------------------------------------------------

using Cut = std::vector<std::array<std::int64_t, 4>>;  // tensor, tensors, first, count
Cut cut(std::vector<std::size_t> sizes, double bytes) {
  toy::Gradients gradients(std::move(sizes));
  Cut all;
  for (const auto& bucket : cut_from_the_end(gradients.views(), bytes)) {
    all.push_back({static_cast<std::int64_t>(bucket.tensor),
                   static_cast<std::int64_t>(bucket.tensors), bucket.first, bucket.count});
  }
  return all;
}

TEST(Buckets, TakeWholeTensorsFromTheEndUntilTheyAreFull) {
  EXPECT_EQ(cut({100, 10, 20, 30, 5}, 4 * 30),
            (Cut{{3, 2, 130, 35}, {1, 2, 100, 30}, {0, 1, 0, 100}}));
  EXPECT_EQ(cut({3, 4}, 1), (Cut{{1, 1, 3, 4}, {0, 1, 0, 3}}));
  EXPECT_EQ(cut({3, 4}, 1e9), (Cut{{0, 2, 0, 7}}));
  EXPECT_EQ(cut({0, 4, 0}, 1), (Cut{{1, 2, 0, 4}, {0, 1, 0, 0}}));
  EXPECT_EQ(cut({}, 1), (Cut{{0, 0, 0, 0}}));
}

// ---- training -----------------------------------------------------------------------------------

const std::vector<Shape> kModel = {{9, 5}, {9}, {4, 7, 3, 3}, {33}, {40, 21}, {1}, {6, 50}};
constexpr double kBytes = 600;  // bytes per bucket; gives four buckets

struct Setting {
  TopologyOptions topology;
  Executor executor = Executor::concurrent;
};

// A replica that is trained with random gradients.
struct Replica {
  Replica(Worker& me, const TopologyPlan& plan, std::unique_ptr<Compressor> compressor,
          const DistributedOptimizer::Options& options)
      : worker(me.rank()),
        parameters(leaves()),
        optimizer(me, parameters, *rule, std::move(compressor), plan.join(me), options) {}

  std::vector<ParameterBuffer::Named> leaves() {
    for (const auto& shape : kModel) tensors.push_back(Tensor::full(shape, 1).set_requires_grad());
    std::vector<ParameterBuffer::Named> named;
    for (const auto& tensor : tensors) named.push_back({"t", tensor});
    return named;
  }
  // An objective whose gradient with respect to each tensor is random, drawn by (worker, step).
  Tensor objective(std::uint64_t step) {
    Philox random(7, {.worker = static_cast<std::uint32_t>(worker),
                      .step = static_cast<std::uint32_t>(step)});
    Tensor all;
    for (const auto& tensor : tensors) {
      Tensor gradient = Tensor::empty(tensor.shape());
      for (auto& value : gradient.data_mut()) value = random.normal();
      if (poison) std::exchange(poison, false), gradient.data_mut()[0] = NAN;
      const Tensor part = sum(tensor * gradient);
      all = all.defined() ? all + part : part;
    }
    return all;
  }
  bool step(std::uint64_t number, float lr = 0.1F) {
    optimizer.zero_grad();
    optimizer.backward(objective(number), lr);
    return optimizer.step(lr);
  }

  int worker;
  bool poison = false;  // puts a NaN into the next step's first tensor, which is in the last bucket
  std::vector<Tensor> tensors;
  ParameterBuffer parameters;
  std::unique_ptr<UpdateRule> rule = make_update_rule("sgd");
  DistributedOptimizer optimizer;
};

struct Outcome {
  std::vector<float> values;
  std::uint64_t hash = 0;
  std::size_t buckets = 0;
};

Outcome train(const Setting& setting, const std::string& spec, double bucket_bytes) {
  const TopologyPlan plan(setting.topology, *make_compressor(spec));
  Outcome outcome;
  run_workers({.workers = setting.topology.workers, .executor = setting.executor}, [&](Worker& me) {
    Replica replica(me, plan, make_compressor(spec), {.seed = 3, .bucket_bytes = bucket_bytes});
    for (std::uint64_t step = 0; step < 6; ++step) {
      EXPECT_TRUE(replica.step(step, step < 3 ? 0.1F : 0.05F));
    }
    if (me.rank() != 0) return;
    outcome = {{replica.parameters.values().begin(), replica.parameters.values().end()},
               replica.optimizer.state_hash(),
               replica.optimizer.buckets()};
  });
  return outcome;
}

std::vector<std::string> specs() {
  std::vector<std::string> all;
  for (const auto& entry : compressor_registry()) {
    if (!make_compressor(entry.example)->traits(0).whole_model) all.emplace_back(entry.example);
  }
  all.insert(all.end(), {"ssdm:scope=tensor", "powersgd:rank=2+ef:lr=inside"});
  return all;
}

class EveryCompressor : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Registry, EveryCompressor, testing::ValuesIn(specs()),
                         [](const auto& suite) {
                           std::string name = suite.param;
                           for (char& c : name) c = std::isalnum(c) != 0 ? c : '_';
                           return name;
                         });

TEST_P(EveryCompressor, GivesTheSameBitsInBucketsOfTwoWorkers) {
  const Setting settings[] = {{{TopologyKind::ring, 2}},
                              {{TopologyKind::ring, 2}, Executor::turns},
                              {{TopologyKind::server, 2, 1}},
                              {{TopologyKind::server, 2, 2}},
                              {{TopologyKind::local, 2}, Executor::turns}};
  for (const auto& setting : settings) {
    const auto whole = train(setting, GetParam(), 0), cut = train(setting, GetParam(), kBytes);
    EXPECT_EQ(whole.buckets, 1);
    EXPECT_EQ(cut.buckets, 4);
    EXPECT_EQ(whole.values, cut.values) << to_string(setting.topology.kind);
    // With two servers the state of combine is on the bucket's owner, so the hashes differ.
    if (setting.topology.servers > 1) continue;
    EXPECT_EQ(whole.hash, cut.hash) << to_string(setting.topology.kind);
  }
}

// The order in which the floats of three workers are added depends on their index in the payload.
TEST_P(EveryCompressor, DiffersByRoundingAtMostWithThree) {
  const Setting setting{{TopologyKind::ring, 3}};
  const auto whole = train(setting, GetParam(), 0), cut = train(setting, GetParam(), kBytes);
  double difference = 0, length = 0;
  for (std::size_t i = 0; i < whole.values.size(); ++i) {
    difference += std::pow(whole.values[i] - cut.values[i], 2.0);
    length += std::pow(whole.values[i], 2.0);
  }
  EXPECT_LT(std::sqrt(difference / length), 1e-6);
}

// ---- non-finite gradients -----------------------------------------------------------------------

TEST(Buckets, ANanInTheLastBucketIsTheOneErrorAndIsNotApplied) {
  const TopologyPlan plan({TopologyKind::ring, 3}, toy::Plain());
  run_workers({.workers = 3}, [&](Worker& me) {
    Replica replica(me, plan, std::make_unique<toy::Plain>(), {.bucket_bytes = kBytes});
    EXPECT_TRUE(replica.step(0));
    const std::vector<float> before(replica.parameters.values().begin(),
                                    replica.parameters.values().end());
    replica.poison = me.rank() == 1;
    try {
      replica.step(1);
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(),
                   "gradient: all values must be finite; got 1 infinite or NaN values on worker 1 "
                   "at step 1, the first in t; a smaller learning rate may help, or the policy "
                   "zero");
    }
    EXPECT_TRUE(std::ranges::equal(before, replica.parameters.values()));
    me.barrier();  // no worker ends before the others have made their checks
  });
}

TEST(Buckets, TheNanThatBecomesZeroIsTheSameInBuckets) {
  const auto values = [](double bucket_bytes) {
    const TopologyPlan plan({TopologyKind::server, 2}, toy::Peaks());
    std::vector<float> trained;
    run_workers({.workers = 2}, [&](Worker& me) {
      Replica replica(me, plan, std::make_unique<toy::Peaks>(),
                      {.non_finite = NonFinite::zero, .bucket_bytes = bucket_bytes});
      replica.poison = me.rank() == 1;
      for (std::uint64_t step = 0; step < 3; ++step) EXPECT_TRUE(replica.step(step));
      EXPECT_EQ(replica.optimizer.counts().zeroed_values, 1);
      if (me.rank() == 0)
        trained.assign(replica.parameters.values().begin(), replica.parameters.values().end());
    });
    return trained;
  };
  EXPECT_EQ(values(0), values(kBytes));
}

// ---- errors -------------------------------------------------------------------------------------

TEST(Buckets, WhatNeedsTheWholeModelIsRefused) {
  const auto refused = [](const char* spec, NonFinite policy, const char* reason) {
    try {
      check_buckets(*make_compressor(spec), policy);
      ADD_FAILURE() << spec;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
    }
  };
  refused("topk:ratio=0.01,scope=model+ef", NonFinite::abort, "needs all gradients");
  refused("none+clip:norm=1", NonFinite::abort, "needs all gradients");
  refused("none", NonFinite::skip_step, "skip_step");
  check_buckets(*make_compressor("topk:ratio=0.01+ef"), NonFinite::zero);

  const TopologyPlan plan({TopologyKind::ring, 1}, toy::Peaks(true));
  run_workers({.workers = 1}, [&](Worker& me) {
    EXPECT_THROW(Replica(me, plan, std::make_unique<toy::Peaks>(true), {.bucket_bytes = kBytes}),
                 UsageError);
  });
}

TEST(Buckets, WhatComesAfterABucketHasLeftIsAnError) {
  const TopologyPlan plan({TopologyKind::ring, 1}, toy::Plain());
  run_workers({.workers = 1}, [&](Worker& me) {
    Replica replica(me, plan, std::make_unique<toy::Plain>(), {.bucket_bytes = kBytes});
    replica.optimizer.zero_grad();
    replica.objective(0).backward();  // accumulates
    replica.optimizer.backward(replica.objective(1), 0.1F);
    EXPECT_THROW(replica.optimizer.step(0.2F), Error) << "another rate than the packets'";
    EXPECT_THROW(replica.optimizer.backward(replica.objective(2), 0.1F), Error);
    EXPECT_TRUE(replica.optimizer.step(0.1F));
  });
}

}  // namespace
}  // namespace terse
