// Staleness of pushes in virtual time: exact values, means, and its distribution for each
// distribution of compute durations.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "async_toys.hpp"

namespace terse {
namespace {

using toy::simulate;

TEST(Staleness, AddsUpToTheVersionsOfTheLastPushesLessTheUpdates) {
  for (const char* durations : {"exponential", "constant", "constant:jitter=0.5", "erlang:k=4",
                                "pareto:alpha=2.5", "measured"}) {
    for (const int workers : {1, 2, 5, 16}) {
      const auto run = simulate(workers, 500, durations);
      std::map<int, std::uint64_t> last;
      for (const auto& [update, push] : run.applied) last[push.worker] = update;
      std::uint64_t sum = 0;
      for (const auto& [worker, version] : last) sum += version;
      EXPECT_EQ(run.result.staleness.sum(), sum - 500) << durations << ", " << workers;
      EXPECT_EQ(run.result.staleness.pushes(), 500U);
      EXPECT_EQ(run.result.staleness.most() == 0, workers == 1);
    }
  }
}

TEST(Staleness, MeanIsOneLessThanTheWorkersWhateverTheLaw) {
  for (const char* durations : {"exponential", "constant", "erlang:k=4", "pareto:alpha=2.5"}) {
    for (const int workers : {4, 16}) {
      const auto mean = simulate(workers, 20'000, durations).result.staleness.mean();
      EXPECT_NEAR(mean, workers - 1, 0.1) << durations;
    }
  }
}

TEST(Staleness, SpeedsChangeWhoIsStaleAndNotTheMean) {
  const auto run =
      toy::run({.options = {.workers = 4, .updates = 20'000, .speeds = {1, 1, 1, 0.1}}});
  EXPECT_NEAR(run.result.staleness.mean(), 3, 0.1);
  double slow = 0, pushes = 0;
  for (const auto& [update, push] : run.applied) {
    if (push.worker != 3) continue;
    slow += static_cast<double>(push.staleness);
    ++pushes;
  }
  EXPECT_NEAR(slow / pushes, 30, 3);  // the three other workers are ten times as fast
}

// The sum over all values of (seen - expected)^2 / expected. Values from `bins` on count as one.
double chi_square_to_geometric(const StalenessRecord& record, int workers, std::size_t bins) {
  const double n = static_cast<double>(record.pushes()), p = 1.0 / workers;
  double sum = 0, tail_seen = n, tail_expected = n;
  for (std::size_t j = 0; j < bins; ++j) {
    const auto histogram = record.histogram();
    const double seen = j < histogram.size() ? static_cast<double>(histogram[j]) : 0;
    const double expected = n * p * std::pow(1 - p, static_cast<double>(j));
    sum += (seen - expected) * (seen - expected) / expected;
    tail_seen -= seen;
    tail_expected -= expected;
  }
  return sum + (tail_seen - tail_expected) * (tail_seen - tail_expected) / tail_expected;
}

TEST(Staleness, IsGeometricForExponentialDurations) {
  // 30 degrees of freedom: mean 30, standard deviation 7.7. Another law gives far larger values.
  EXPECT_LT(chi_square_to_geometric(simulate(16, 40'000, "exponential").result.staleness, 16, 30),
            30 + 5 * 7.7);
  EXPECT_GT(chi_square_to_geometric(simulate(16, 40'000, "erlang:k=4").result.staleness, 16, 30),
            1000);
}

TEST(Staleness, SpreadsAsTheLawOfDurationsSays) {
  const auto spread = [](const char* durations) {
    return simulate(16, 40'000, durations).result.staleness;
  };
  EXPECT_NEAR(spread("exponential").deviation(), 15.5, 0.5);
  EXPECT_NEAR(spread("erlang:k=4").deviation(), 7.9, 0.3);
  EXPECT_LT(spread("constant:jitter=0.05").deviation(), 1);
  const auto pareto = spread("pareto:alpha=2.5");
  EXPECT_NEAR(pareto.deviation(), 12, 2);
  EXPECT_GT(pareto.most(), 300U);  // the exponential law reaches about 16 ln 40000 = 170
  EXPECT_LT(spread("exponential").most(), 300U);
}

TEST(Staleness, ConstantDurationsMakeEveryPushButTheFirstOfEachAsLateAsTheOthersAreMany) {
  const auto run = simulate(5, 100, "constant");
  for (const auto& [update, push] : run.applied) {
    EXPECT_EQ(push.staleness, std::min<std::uint64_t>(update - 1, 4));
    EXPECT_EQ(push.worker, static_cast<int>((update - 1) % 5));
  }
}

TEST(Staleness, CanBeImposed) {
  const auto delayed = [](const std::string& delays) {
    return toy::run({.options = {.workers = 3, .updates = 20'000, .delays = delays}});
  };
  for (const auto& [update, push] : delayed("constant:s=4").applied) {
    ASSERT_EQ(push.staleness, std::min<std::uint64_t>(4, update - 1));
    ASSERT_EQ(push.read, update - 1 - push.staleness);
  }
  EXPECT_EQ(delayed("constant:s=0").result.staleness.most(), 0U);
  const auto uniform = delayed("uniform:most=8").result.staleness;
  EXPECT_EQ(uniform.most(), 8U);
  EXPECT_NEAR(uniform.mean(), 4, 0.1);
  const auto geometric = delayed("geometric:mean=4,most=200").result.staleness;
  EXPECT_NEAR(geometric.mean(), 4, 0.2);
  EXPECT_NEAR(geometric.deviation(), std::sqrt(4.0 * 5), 0.2);
  const auto poisson = delayed("poisson:mean=4").result.staleness;
  EXPECT_NEAR(poisson.mean(), 4, 0.1);
  EXPECT_NEAR(poisson.deviation(), 2, 0.1);
  EXPECT_EQ(delayed("poisson:mean=4,most=5").result.staleness.most(), 5U);
}

TEST(Staleness, AnImposedDelayReadsTheModelOfThatVersion) {
  const auto run = toy::run({.options = {.workers = 1, .updates = 50, .delays = "constant:s=3"}});
  std::vector<std::vector<float>> versions = {toy::Bowl().values()};
  for (std::size_t t = 0; t < 50; ++t) {
    const auto g = toy::bowl_gradient(versions[t - std::min<std::size_t>(3, t)], 0, t);
    auto x = versions.back();
    make_update_rule("sgd")->apply(x, g, 0.01F);
    versions.push_back(x);
  }
  EXPECT_EQ(run.values, versions.back());
}

}  // namespace
}  // namespace terse
