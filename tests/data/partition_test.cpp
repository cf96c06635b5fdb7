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
constexpr const char* kAll[] = {"shared", "iid", "by-label:2", "by-class:0-4/5-9"};

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

// How many of these samples have each label.
std::map<std::int32_t, int> count_labels(const Samples& samples, int total) {
  const auto labels = turn_labels(total);
  std::map<std::int32_t, int> counts;
  for (const auto i : samples) ++counts[labels[static_cast<std::size_t>(i)]];
  return counts;
}

TEST(ByClass, TwoWorkersHaveTheTwoHalvesOfTheClasses) {
  const auto low = order(*make("by-class:0-4/5-9", 200, {0, 2, 10}), 1);
  const auto high = order(*make("by-class:0-4/5-9", 200, {1, 2, 10}), 1);
  const std::map<std::int32_t, int> lower = {{0, 20}, {1, 20}, {2, 20}, {3, 20}, {4, 20}};
  const std::map<std::int32_t, int> upper = {{5, 20}, {6, 20}, {7, 20}, {8, 20}, {9, 20}};
  EXPECT_EQ(count_labels(low, 200), lower);
  EXPECT_EQ(count_labels(high, 200), upper);
}

TEST(ByClass, WorkersTakeTurnsOverTheGroupsAndAreDisjoint) {
  // Five workers, two groups: workers 0, 2 and 4 share the classes 0 to 4, workers 1 and 3 the
  // others.
  Samples all;
  for (std::int64_t w = 0; w < 5; ++w) {
    const auto partition = make("by-class:0-4/5-9", 300, {w, 5, 10});
    EXPECT_EQ(partition->steps_per_epoch(), 5);  // 50 samples of each of three workers
    const auto own = order(*partition, 2);
    for (const auto& [label, count] : count_labels(own, 300)) EXPECT_EQ(label / 5, w % 2) << w;
    all.insert(all.end(), own.begin(), own.end());
  }
  const std::set<std::int32_t> distinct(all.begin(), all.end());
  EXPECT_EQ(distinct.size(), all.size());
  EXPECT_EQ(all.size(), 250U);
}

TEST(ByClass, WorkersOfAGroupHaveSamplesOfAllItsClasses) {
  for (std::int64_t w = 0; w < 10; ++w) {
    const auto own = order(*make("by-class:0-4/5-9", 2000, {w, 10, 50}), 0);
    EXPECT_EQ(count_labels(own, 2000).size(), 5U) << w;
  }
}

TEST(ByClass, GroupsMayBeSingleClassesInAnyOrder) {
  for (std::int64_t w = 0; w < 3; ++w) {
    const auto partition = make("by-class:1-8/9/0", 100, {w, 3, 10});
    EXPECT_EQ(partition->steps_per_epoch(), 1);
    const auto counts = count_labels(order(*partition, 0), 100);
    const std::map<std::int32_t, int> expected[] = {counts, {{9, 10}}, {{0, 10}}};
    EXPECT_EQ(counts, expected[w]);
  }
  EXPECT_EQ(order(*make("by-class:groups=0-9", 100, {0, 2, 5}), 0),
            order(*make("by-class:0-9", 100, {0, 2, 5}), 0));
}

TEST(ByClass, WorkerKeepsItsSamplesInAllEpochs) {
  const auto partition = make("by-class:0-4/5-9", 200, {3, 4, 10});
  EXPECT_EQ(sorted(order(*partition, 0)), sorted(order(*partition, 7)));
}

TEST(ByClass, OneWorkerDrawsEachBatchFromOneGroup) {
  // 100 epochs of 20 steps: 1000 batches of each group, standard deviation 22.4. Group 0 has one
  // class of ten, so its samples are used up and shuffled again.
  const auto partition = make("by-class:0/1-9", 200, {0, 1, 10});
  ASSERT_EQ(partition->steps_per_epoch(), 20);
  int first = 0, switches = 0;
  for (std::int64_t epoch = 0; epoch < 100; ++epoch) {
    const auto all = order(*partition, epoch);
    ASSERT_EQ(all.size(), 200U);
    bool before = false;
    for (std::int64_t step = 0; step < 20; ++step) {
      const Samples batch(all.begin() + 10 * step, all.begin() + 10 * (step + 1));
      const std::set<std::int32_t> distinct(batch.begin(), batch.end());
      EXPECT_EQ(distinct.size(), 10U);
      const auto counts = count_labels(batch, 200);
      const bool is_first = counts.contains(0);
      if (is_first) {
        EXPECT_EQ(counts.at(0), 10);
      }
      first += is_first;
      switches += step > 0 && is_first != before;
      before = is_first;
    }
  }
  EXPECT_NEAR(first, 1000, 4 * 22.4);
  EXPECT_NEAR(switches, 950, 4 * 21.8);  // independent draws: half of 100 · 19
}

TEST(ByClass, OneWorkerUsesAGroupUpBeforeItRepeats) {
  const auto partition = make("by-class:0/1-9", 200, {0, 1, 10});
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
    Samples of_first;
    for (const auto i : order(*partition, epoch)) {
      if (i % 10 == 0) of_first.push_back(i);
    }
    for (std::size_t i = 0; i + 20 <= of_first.size(); i += 20) {
      const std::set<std::int32_t> pass(of_first.begin() + static_cast<std::ptrdiff_t>(i),
                                        of_first.begin() + static_cast<std::ptrdiff_t>(i) + 20);
      EXPECT_EQ(pass.size(), 20U);
    }
  }
}

TEST(ByClass, WrongGroupsAreUsageErrors) {
  const WorkerShare two{0, 2, 10};
  for (const char* groups :
       {"", ":", ":0-4/", ":0-4//5-9", ":4-0/5-9", ":0-4/x", ":-1-9", ":0-", ":0-4/5-9;"}) {
    EXPECT_NE(usage_error(std::string("by-class") + groups, 100, two), "") << groups;
  }
  expect_has(usage_error("by-class", 100, two), {"ranges of classes", "by-class:0-4/5-9", "''"});
  expect_has(usage_error("by-class:0-4/5-x", 100, two), {"ranges of classes", "'0-4/5-x'"});
  expect_has(usage_error("by-class:0-4/5-10", 100, two), {"from 0 to 9", "got 10"});
  expect_has(usage_error("by-class:0-4/4-9", 100, two), {"one group", "class 4"});
  expect_has(usage_error("by-class:0-4/6-9", 100, two), {"class 5 is in none"});
  expect_has(usage_error("by-class:0-3/4-6/7-9", 100, two), {"at least 3 workers", "got 2"});
  expect_has(usage_error("by-class:0-4,5-9", 100, two), {"given twice"});
  expect_has(usage_error("by-class:0/1-9", 100, {0, 2, 11}),
             {"by-class", "at least 11 samples", "the smallest share has 10 of 100"});
  expect_has(usage_error("by-class:0/1-9", 100, {0, 1, 11}),
             {"at least 11 samples", "a group has 10"});
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
  expect_has(usage_error("idd", 100, {}), {"did you mean iid?", "by-class", "by-label", "shared"});
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
