// Tests of Wangni's sparsification: the number of entries, their magnitudes, and non-finite values.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "tersegrad/optim/testing/exchange.hpp"

namespace terse {
namespace {

TEST(Wangni, AsManyEntriesAsWereAskedForOnAverage) {
  constexpr int kSteps = 2000;
  const auto x = normal_gradients({{"", 300, 1}}, 4);
  for (const auto* spec : {"wangni:ratio=0.1", "wangni:ratio=0.1,iterations=0"}) {
    TestExchange exchange([&] { return make_compressor(spec); }, 1);
    double sum = 0;
    for (int step = 0; step < kSteps; ++step) {
      for (const float v : flat(exchange.mean({x}))) sum += v != 0 ? 1 : 0;
    }
    // No coordinate has probability 1 at this ratio, so both rules give 30 entries. The variance of
    // a Bernoulli sum is below 30.
    EXPECT_NEAR(sum / kSteps, 30, 5 * std::sqrt(30.0 / kSteps)) << spec;
  }
}

TEST(Wangni, UncertainEntriesShareOneMagnitudeAndCertainOnesAreExact) {
  auto x = normal_gradients({{"", 200, 1}}, 4);
  x[0].values[17] = 50;
  TestExchange exchange([] { return make_compressor("wangni:ratio=0.2"); }, 1);
  for (int step = 0; step < 20; ++step) {
    const auto out = flat(exchange.mean({x}));
    EXPECT_EQ(out[17], 50);
    std::set<float> magnitudes;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (out[i] == 0 || out[i] == x[0].values[i]) continue;
      EXPECT_EQ(out[i] < 0, x[0].values[i] < 0);
      magnitudes.insert(std::abs(out[i]));
    }
    EXPECT_EQ(magnitudes.size(), 1U);
  }
}

TEST(Wangni, WorkersDrawByThemselves) {
  const auto x = normal_gradients({{"", 200, 1}}, 4);
  TestExchange exchange([] { return make_compressor("wangni:ratio=0.2"); }, 2);
  exchange.mean({x, x});
  const auto a = exchange.phases()[0].up[0].words(), b = exchange.phases()[0].up[1].words();
  EXPECT_FALSE(std::ranges::equal(a, b));
}

TEST(Wangni, WhatIsNotFiniteIsSentAndSpoilsNothingElse) {
  auto x = normal_gradients({{"", 100, 1}}, 4);
  x[0].values[3] = std::numeric_limits<float>::infinity();
  x[0].values[5] = std::numeric_limits<float>::quiet_NaN();
  for (const auto* spec : {"wangni:ratio=0.2", "wangni:variance=1"}) {
    TestExchange exchange([&] { return make_compressor(spec); }, 1);
    const auto out = flat(exchange.mean({x}));
    int finite = 0, sent = 0;
    for (const float v : out) {
      finite += std::isfinite(v) ? 1 : 0;
      sent += v != 0 ? 1 : 0;
    }
    EXPECT_EQ(out[3], x[0].values[3]);
    EXPECT_TRUE(std::isnan(out[5]));
    EXPECT_EQ(finite, 98) << spec;
    EXPECT_GT(sent, 5) << spec;
    EXPECT_LT(sent, 90) << spec;
  }
}

}  // namespace
}  // namespace terse
