#include "tersegrad/data/partition.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "tersegrad/core/error.hpp"
#include "tests/data/files.hpp"

namespace terse {
namespace {

using Samples = std::vector<std::int32_t>;
constexpr std::uint64_t kSeed = 11;
constexpr const char* kAll[] = {"shared", "iid", "by-label:2"};

// The labels 0 … 9 in rotation.
Samples turn_labels(int count) {
  Samples labels;
  for (int i = 0; i < count; ++i) labels.push_back(i % 10);
  return labels;
}

std::unique_ptr<Partition> make(const std::string& spec, int samples, const WorkerShare& share,
                                std::uint64_t seed = kSeed) {
  return make_partition(spec, turn_labels(samples), share, seed);
}

Samples order(const Partition& partition, std::int64_t epoch) {
  Samples out;
  partition.order(epoch, out);
  return out;
}

Samples sorted(Samples samples) {
  std::sort(samples.begin(), samples.end());
  return samples;
}

// The samples of all workers in a step.
Samples union_of_step(const std::string& spec, int samples, std::int64_t workers,
                      std::int64_t batch, std::int64_t epoch, std::int64_t step) {
  Samples all;
  for (std::int64_t w = 0; w < workers; ++w) {
    const auto own = make(spec, samples, {w, workers, batch})->samples(epoch, step);
    all.insert(all.end(), own.begin(), own.end());
  }
  return sorted(all);
}

std::string usage_error(const std::string& spec, int samples, const WorkerShare& share) {
  return error_of<UsageError>([&] { make(spec, samples, share); });
}

TEST(Partition, EveryOrderIsInRangeAndRepeatsNoSample) {
  for (const std::string spec : kAll) {
    for (std::int64_t w = 0; w < 3; ++w) {
      const auto partition = make(spec, 100, {w, 3, 7});
      const auto samples = order(*partition, 4);
      ASSERT_EQ(std::ssize(samples), partition->steps_per_epoch() * 7) << spec;
      const std::set<std::int32_t> distinct(samples.begin(), samples.end());
      EXPECT_EQ(distinct.size(), samples.size()) << spec;
      EXPECT_GE(*distinct.begin(), 0);
      EXPECT_LT(*distinct.rbegin(), 100);
    }
  }
}

TEST(Partition, OrderIsAPureFunctionOfSeedAndEpoch) {
  for (const std::string spec : kAll) {
    const auto a = make(spec, 100, {1, 2, 8}), b = make(spec, 100, {1, 2, 8});
    const auto third = order(*a, 3);
    EXPECT_NE(third, order(*a, 4)) << spec;
    EXPECT_EQ(third, order(*a, 3)) << spec;  // does not depend on earlier calls
    EXPECT_EQ(third, order(*b, 3)) << spec;
    EXPECT_NE(third, order(*make(spec, 100, {1, 2, 8}, kSeed + 1), 3)) << spec;
    EXPECT_EQ(a->samples(3, 1), Samples(third.begin() + 8, third.begin() + 16)) << spec;
  }
}

TEST(Partition, EveryWorkerHasTheSameNumberOfSteps) {
  for (const std::string spec : kAll) {
    const auto steps = make(spec, 101, {0, 3, 4})->steps_per_epoch();
    for (std::int64_t w = 1; w < 3; ++w) {
      EXPECT_EQ(make(spec, 101, {w, 3, 4})->steps_per_epoch(), steps) << spec;
    }
  }
  EXPECT_EQ(make("iid", 101, {0, 3, 4})->steps_per_epoch(), 101 / 12);
  EXPECT_EQ(make("shared", 101, {0, 3, 4})->steps_per_epoch(), 101 / 12);
}

TEST(Partition, SharedAndIidAreTheSameForOneWorker) {
  EXPECT_EQ(order(*make("shared", 100, {0, 1, 10}), 2), order(*make("iid", 100, {0, 1, 10}), 2));
}

TEST(Iid, WorkersAreDisjointAndTogetherComplete) {
  Samples all;
  for (std::int64_t w = 0; w < 4; ++w) {
    const auto own = order(*make("iid", 120, {w, 4, 5}), 1);
    all.insert(all.end(), own.begin(), own.end());
  }
  all = sorted(all);
  ASSERT_EQ(all.size(), 120U);
  for (int i = 0; i < 120; ++i) EXPECT_EQ(all[i], i);
}

TEST(Iid, UnionOfAStepDoesNotDependOnTheSplit) {
  for (std::int64_t step = 0; step < 5; ++step) {
    const auto one = union_of_step("iid", 200, 1, 36, 2, step);
    for (const std::int64_t workers : {2, 3, 4, 12, 36}) {
      EXPECT_EQ(union_of_step("iid", 200, workers, 36 / workers, 2, step), one);
    }
  }
}

TEST(Iid, WorkerTakesEveryWthOfTheCommonOrder) {
  const auto common = order(*make("iid", 64, {0, 1, 64}), 0);
  const auto own = order(*make("iid", 64, {1, 4, 8}), 0);
  for (std::size_t i = 0; i < own.size(); ++i) EXPECT_EQ(own[i], common[1 + 4 * i]);
}

TEST(Iid, WhatIsLeftOverDiffersFromEpochToEpoch) {
  const auto partition = make("iid", 100, {0, 1, 30});
  EXPECT_EQ(partition->steps_per_epoch(), 3);
  EXPECT_NE(sorted(order(*partition, 0)), sorted(order(*partition, 1)));
}

TEST(Iid, EverySampleIsEquallyLikelyAtEveryPlace) {
  // Counts the position of sample 0 over 2000 epochs: 10 positions, 200 each, standard error 13.4.
  const auto partition = make("iid", 10, {0, 1, 10});
  std::vector<int> counts(10);
  for (int epoch = 0; epoch < 2000; ++epoch) {
    const auto samples = order(*partition, epoch);
    ++counts[std::find(samples.begin(), samples.end(), 0) - samples.begin()];
  }
  for (const int count : counts) EXPECT_NEAR(count, 200, 4 * 13.4);
}

TEST(Shared, EveryWorkerDrawsItsOwnOrderOfAllSamples) {
  const auto a = order(*make("shared", 50, {0, 1, 50}), 0);
  EXPECT_EQ(sorted(a).back(), 49);
  EXPECT_NE(order(*make("shared", 50, {0, 2, 25}), 0), order(*make("shared", 50, {1, 2, 25}), 0));
  // The orders of two workers are independent, so almost surely both have some sample in common.
  const auto both = union_of_step("shared", 50, 2, 25, 0, 0);
  EXPECT_NE(std::adjacent_find(both.begin(), both.end()), both.end());
}

TEST(ByLabel, WorkersAreDisjointAndTogetherComplete) {
  Samples all;
  for (std::int64_t w = 0; w < 5; ++w) {
    const auto own = order(*make("by-label:2", 100, {w, 5, 10}), 3);
    all.insert(all.end(), own.begin(), own.end());
  }
  all = sorted(all);
  ASSERT_EQ(all.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(all[i], i);
}

TEST(ByLabel, WorkerHasAtMostAsManyLabelsAsShards) {
  // 5 workers × 2 shards = 10 shards, each of which holds exactly one label.
  const auto labels = turn_labels(1000);
  for (std::int64_t w = 0; w < 5; ++w) {
    std::map<std::int32_t, int> counts;
    for (const auto i : order(*make("by-label:2", 1000, {w, 5, 20}), 0)) ++counts[labels[i]];
    EXPECT_EQ(counts.size(), 2U);
    for (const auto& [label, count] : counts) EXPECT_EQ(count, 100) << label;
  }
}

TEST(ByLabel, WorkerKeepsItsSamplesInAllEpochs) {
  const auto partition = make("by-label:2", 100, {1, 5, 20});
  EXPECT_EQ(sorted(order(*partition, 0)), sorted(order(*partition, 9)));
}

TEST(ByLabel, SmallestWorkerSetsTheSteps) {
  // 103 samples in 6 shards of 17 or 18: a worker has 34, 35 or 36 samples.
  for (std::int64_t w = 0; w < 3; ++w) {
    EXPECT_EQ(make("by-label:2", 103, {w, 3, 17})->steps_per_epoch(), 2);
  }
  EXPECT_EQ(make("by-label:2", 103, {0, 3, 34})->steps_per_epoch(), 1);
}

TEST(ByLabel, ShardsMayBeNamedOrLeftOut) {
  const auto short_form = order(*make("by-label:3", 100, {0, 3, 5}), 0);
  EXPECT_EQ(order(*make("by-label:shards=3", 100, {0, 3, 5}), 0), short_form);
  EXPECT_NE(sorted(order(*make("by-label", 100, {0, 3, 5}), 0)), sorted(short_form));
}

TEST(Partition, EpochWithoutAStepIsAUsageError) {
  expect_has(usage_error("iid", 100, {0, 4, 32}),
             {"iid", "4 workers x batch 32 = 128 samples", "has 100"});
  expect_has(usage_error("shared", 100, {0, 4, 32}), {"shared", "128"});
  expect_has(usage_error("by-label:2", 100, {0, 4, 32}),
             {"by-label", "at least 32 samples", "4 workers", "the smallest share has 2"});
  expect_has(usage_error("by-label:40", 100, {0, 4, 1}), {"160 shards", "has 100"});
}

TEST(Partition, WrongSpecIsAUsageError) {
  expect_has(usage_error("idd", 100, {}), {"did you mean iid?", "by-label", "shared"});
  expect_has(usage_error("iid:3", 100, {0, 1, 10}), {"takes no options"});
  expect_has(usage_error("by-label:x", 100, {0, 1, 10}), {"shards", "whole number", "'x'"});
  expect_has(usage_error("by-label:0", 100, {0, 1, 10}), {"shards", "from 1", "'0'"});
  expect_has(usage_error("by-label:2,3", 100, {0, 1, 10}), {"given twice"});
  expect_has(usage_error("iid", 100, {0, 1, 0}), {"batch", "got 0"});
  expect_has(usage_error("iid", 100, {0, 0, 1}), {"workers", "got 0"});
  EXPECT_THROW(make("iid", 100, {2, 2, 1}), Error);
}

TEST(Partition, StepOrEpochOutOfRangeIsAnError) {
  const auto partition = make("iid", 100, {0, 1, 10});
  EXPECT_THROW(partition->samples(0, 10), Error);
  EXPECT_THROW(partition->samples(0, -1), Error);
  EXPECT_THROW(partition->samples(-1, 0), Error);
}

}  // namespace
}  // namespace terse
