// Tests of server rules and bounded staleness against plain loops of the papers' formulas.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "async_toys.hpp"

namespace terse {
namespace {

using Vector = std::vector<double>;

// The contribution of a push to its update, from its gradient, the model at which it was computed,
// the present model, and its staleness.
using Correct =
    std::function<Vector(Vector g, const Vector& read, const Vector& now, std::uint64_t staleness)>;

// Replays a run's updates: SGD with the mean of the corrected gradients of each update.
Vector replay(const toy::AsyncOutcome& run, double lr, const Correct& correct) {
  std::vector<Vector> versions = {Vector(100, 1.0)};
  std::map<int, std::vector<std::uint64_t>> seen;  // by worker: the updates with its pushes
  std::map<int, std::uint64_t> steps;
  for (std::size_t i = 0; i < run.applied.size();) {
    const auto update = run.applied[i].update;
    std::size_t end = i;
    while (end < run.applied.size() && run.applied[end].update == update) ++end;
    Vector x = versions.back();
    for (std::size_t p = i; p < end; ++p) {
      const auto& push = run.applied[p].push;
      EXPECT_EQ(push.staleness, update - 1 - push.read);
      const auto& read = versions[push.read];
      const std::vector<float> at(read.begin(), read.end());
      const auto g = toy::bowl_gradient(at, push.worker, steps[push.worker]++);
      const auto u = correct(Vector(g.begin(), g.end()), read, versions.back(), push.staleness);
      for (std::size_t k = 0; k < x.size(); ++k) x[k] -= lr / static_cast<double>(end - i) * u[k];
    }
    versions.push_back(x);
    i = end;
  }
  return versions.back();
}

struct Rule {
  std::string spec;
  Correct correct;
};

std::vector<Rule> rules() {
  const Correct as_it_is = [](Vector g, const Vector&, const Vector&, std::uint64_t) { return g; };
  const Correct over_staleness = [](Vector g, const Vector&, const Vector&, std::uint64_t tau) {
    for (auto& value : g) value /= static_cast<double>(std::max<std::uint64_t>(1, tau));
    return g;
  };
  const Correct over_staleness_plus_one = [](Vector g, const Vector&, const Vector&,
                                             std::uint64_t tau) {
    for (auto& value : g) value /= static_cast<double>(tau + 1);
    return g;
  };
  const auto compensated = [](double lambda) -> Correct {
    return [lambda](Vector g, const Vector& read, const Vector& now, std::uint64_t) {
      for (std::size_t i = 0; i < g.size(); ++i) g[i] += lambda * g[i] * g[i] * (now[i] - read[i]);
      return g;
    };
  };
  const Correct adaptive = [ms = Vector(100, 0.0)](Vector g, const Vector& read, const Vector& now,
                                                   std::uint64_t) mutable {
    for (std::size_t i = 0; i < g.size(); ++i) {
      ms[i] = 0.95 * ms[i] + 0.05 * g[i] * g[i];
      g[i] += 2 / std::sqrt(ms[i] + 1e-7) * g[i] * g[i] * (now[i] - read[i]);
    }
    return g;
  };
  return {{"vanilla", as_it_is},
          {"softsync:n=2", as_it_is},
          {"k_async:k=3", as_it_is},
          {"staleness_aware", over_staleness},
          {"softsync:n=2+staleness_aware", over_staleness},
          {"staleness_aware:form=plus_one", over_staleness_plus_one},
          {"dynsgd", over_staleness_plus_one},
          {"dc_asgd", compensated(0.04)},
          {"dc_asgd:lambda=0.5", compensated(0.5)},
          {"softsync:n=3+dc_asgd:lambda=0.5", compensated(0.5)},
          {"dc_asgd_adaptive", adaptive}};
}

toy::AsyncOutcome simulate(const std::string& rule, int workers, std::uint64_t updates,
                           std::optional<std::uint64_t> bound = std::nullopt,
                           std::vector<double> speeds = {}) {
  return toy::run({.options = {.workers = workers,
                               .updates = updates,
                               .seed = 9,
                               .rule = rule,
                               .bound = bound,
                               .speeds = std::move(speeds)}});
}

double distance(const std::vector<float>& a, const Vector& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return most;
}

TEST(ServerRule, StepsAsItsFormulaSays) {
  const auto as_it_is = rules().front().correct;
  for (const auto& rule : rules()) {
    const auto run = simulate(rule.spec, 6, 120);
    EXPECT_LT(distance(run.values, replay(run, 0.01, rule.correct)), 2e-5) << rule.spec;
    const bool corrects = make_server_rule(rule.spec, 6).correction != nullptr;
    if (corrects) {
      EXPECT_GT(distance(run.values, replay(run, 0.01, as_it_is)), 1e-4) << rule.spec;
    }
  }
}

TEST(ServerRule, TheRateFallsWithTheStaleness) {
  const auto rates = [](const std::string& spec) {
    std::vector<float> all;
    const auto rule = make_server_rule(spec, 4);
    for (std::uint64_t tau = 0; tau <= 5; ++tau) all.push_back(rule.correction->rate(tau));
    return all;
  };
  const std::vector<float> plus_one{1, 1.0F / 2, 1.0F / 3, 1.0F / 4, 1.0F / 5, 1.0F / 6};
  EXPECT_EQ(rates("staleness_aware"),
            (std::vector<float>{1, 1, 1.0F / 2, 1.0F / 3, 1.0F / 4, 1.0F / 5}));
  EXPECT_EQ(rates("staleness_aware:form=plus_one"), plus_one);
  EXPECT_EQ(rates("dynsgd"), plus_one);
}

// One worker pulls after each of its pushes, so no push is stale.
TEST(ServerRule, WithoutStalenessTheRateIsThatOfVanilla) {
  const auto vanilla = simulate("vanilla", 1, 50);
  EXPECT_EQ(vanilla.result.staleness.most(), 0U);
  for (const auto* rule : {"staleness_aware", "staleness_aware:form=plus_one", "dynsgd"}) {
    EXPECT_EQ(simulate(rule, 1, 50).values, vanilla.values) << rule;
  }
}

TEST(ServerRule, ItsSpecIsComplete) {
  EXPECT_EQ(make_server_rule("staleness_aware", 4).spec, "staleness_aware:form=inverse");
  EXPECT_EQ(make_server_rule("dynsgd", 4).spec, "dynsgd");
  EXPECT_EQ(make_server_rule("softsync+dc_asgd_adaptive", 4).spec,
            "softsync:n=1+dc_asgd_adaptive:lambda=2,decay=0.95,eps=1e-07");
  for (const auto& entry : server_rule_registry()) {
    const auto spec = make_server_rule(entry.example, 4).spec;
    EXPECT_EQ(make_server_rule(spec, 4).spec, spec);
  }
}

// The workers of each update.
std::map<std::uint64_t, std::vector<int>> members(const toy::AsyncOutcome& run) {
  std::map<std::uint64_t, std::vector<int>> by_update;
  for (const auto& [update, push] : run.applied) by_update[update].push_back(push.worker);
  return by_update;
}

TEST(ServerRule, SoftsyncGathersPushesOfAnyWorkers) {
  const auto run = simulate("softsync:n=2", 7, 200, std::nullopt, {1, 1, 1, 1, 1, 1, 5});
  std::size_t repeated = 0;
  for (const auto& [update, workers] : members(run)) {
    EXPECT_EQ(workers.size(), 3U);  // floor(7 / 2)
    EXPECT_TRUE(std::ranges::is_sorted(workers));
    if (std::ranges::adjacent_find(workers) != workers.end()) ++repeated;
  }
  EXPECT_GT(repeated, 10U);
  EXPECT_NEAR(run.result.staleness.mean(), 2, 0.5);
}

TEST(ServerRule, KAsyncGathersPushesOfDifferentWorkers) {
  const auto run = simulate("k_async:k=3", 7, 200, std::nullopt, {1, 1, 1, 1, 1, 1, 5});
  for (const auto& [update, workers] : members(run)) {
    EXPECT_EQ(workers.size(), 3U);
    EXPECT_EQ(std::set(workers.begin(), workers.end()).size(), 3U);
  }
  EXPECT_GT(run.result.staleness.most(), 0U);
  EXPECT_EQ(simulate("k_async:k=7", 7, 50).result.staleness.most(), 0U);
}

TEST(ServerRule, BackupWorkersDropWhatComesLate) {
  const auto run = simulate("backup:spare=2", 6, 200);
  for (const auto& [update, workers] : members(run)) EXPECT_EQ(workers.size(), 4U);
  EXPECT_EQ(run.result.staleness.most(), 0U);
  EXPECT_GT(run.result.dropped, 50U);
  EXPECT_EQ(run.result.staleness.pushes(), 800U);
  EXPECT_EQ(simulate("backup:spare=0", 6, 50).result.dropped, 0U);
}

// ---- bounded staleness --------------------------------------------------------------------------

// The maximum number of clocks by which a worker was ahead of the slowest when its push arrived.
std::uint64_t furthest_ahead(const toy::AsyncOutcome& run, int workers) {
  std::vector<std::uint64_t> clocks(static_cast<std::size_t>(workers));
  std::uint64_t most = 0;
  for (const int worker : run.pushed) {
    const auto least = std::ranges::min(clocks);
    most = std::max(most, clocks[static_cast<std::size_t>(worker)]++ - least);
  }
  return most;
}

TEST(BoundedStaleness, NobodyRunsFurtherAheadThanTheBound) {
  const std::vector<double> speeds = {1, 1, 1, 0.1};
  EXPECT_GT(furthest_ahead(simulate("vanilla", 4, 600, std::nullopt, speeds), 4), 50U);
  for (const std::uint64_t bound : {1, 2, 5}) {
    EXPECT_EQ(furthest_ahead(simulate("vanilla", 4, 600, bound, speeds), 4), bound);
  }
}

TEST(BoundedStaleness, WhatIsPulledHasAllUpdatesOfOlderClocks) {
  for (const std::uint64_t bound : {1, 3}) {
    const auto run = simulate("vanilla", 5, 500, bound, {1, 0.3, 1, 1, 2});
    std::vector<std::vector<std::uint64_t>> updates(5);  // by worker: the updates with its pushes
    for (const auto& [update, push] : run.applied) {
      const auto clock = updates[static_cast<std::size_t>(push.worker)].size();
      updates[static_cast<std::size_t>(push.worker)].push_back(update);
      for (const auto& others : updates) {
        for (std::size_t c = 0; c + bound + 1 <= clock; ++c) {
          ASSERT_LT(c, others.size());
          EXPECT_LE(others[c], push.read);
        }
      }
    }
  }
}

// A worker that has waited pulls a later version than the one that its own push made.
TEST(BoundedStaleness, WaitingMakesPushesFresherByWhatPasses) {
  const auto run = simulate("vanilla", 4, 2000, 1, {1, 1, 1, 0.2});
  std::map<int, std::uint64_t> last;
  std::uint64_t waited = 0, sum = 0;
  for (const auto& [update, push] : run.applied) {
    waited += push.read - last[push.worker];
    last[push.worker] = update;
  }
  for (const auto& [worker, version] : last) sum += version;
  EXPECT_GT(waited, 0U);
  EXPECT_EQ(run.result.staleness.sum(), sum - waited - 2000);
  EXPECT_LT(run.result.staleness.mean(), 3);
}

TEST(BoundedStaleness, EachPushIsAppliedAlone) {
  const auto run = simulate("vanilla", 4, 200, 2);
  const auto vanilla = rules().front();
  EXPECT_LT(distance(run.values, replay(run, 0.01, vanilla.correct)), 2e-5);
  for (const auto& [update, workers] : members(run)) EXPECT_EQ(workers.size(), 1U);
}

}  // namespace
}  // namespace terse
