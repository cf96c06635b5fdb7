// Tests of TernGrad with a scale per worker and with a shared scale.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "exchanges.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/testing/law_statistics.hpp"

namespace terse {
namespace {

TEST(TernGrad, SaysTheScaleOrNothing) {
  const auto x = normal_gradients({{"", 1000, 1}}, 1);
  float scale = 0;
  for (const float v : flat(x)) scale = std::max(scale, std::abs(v));
  for (const auto* spec : {"terngrad", "terngrad:shared"}) {
    TestExchange exchange(maker(spec), 1);
    const auto out = flat(exchange.mean({x})), in = flat(x);
    std::set<float> seen;
    for (std::size_t i = 0; i < out.size(); ++i) {
      seen.insert(out[i]);
      EXPECT_GE(out[i] * in[i], 0);
    }
    EXPECT_EQ(seen, (std::set<float>{-scale, 0, scale})) << spec;
  }
}

// A bucket's values are those of a tensor of its own.
TEST(TernGrad, EveryBucketHasItsOwnScale) {
  std::vector<float> x(200, 0.0F);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = i < 64 ? 0.25F : i < 128 ? -8 : 2;
  for (const auto* spec : {"terngrad:bucket=64", "terngrad:bucket=64,shared"}) {
    TestExchange exchange(maker(spec), 1);
    EXPECT_EQ(flat(exchange.mean({vector_of(x)})), x) << spec;
  }
  TestExchange whole(maker("terngrad"), 1);
  EXPECT_NE(flat(whole.mean({vector_of(x)})), x);
  EXPECT_THROW(make_compressor("terngrad:bucket=100"), UsageError);
}

// The declared variance is the largest: it is reached by one value of 1 among values of
// 1/(sqrt(n) + 1).
TEST(TernGrad, VarianceIsReachedByItsWorstBucket) {
  const double omega = (std::sqrt(512.0) - 1) / 2;
  std::vector<float> x(1024, static_cast<float>(1 / (std::sqrt(512.0) + 1)));
  x[0] = x[512] = 1;
  auto gradient = vector_of(x);
  const auto declared = make_compressor("terngrad:bucket=512")->variance(0, views_of(gradient));
  EXPECT_NEAR(declared.value(), omega, 1e-12);
  EXPECT_NEAR(omega, 10.81, 0.01);
  const auto [mean, error] = measured_error(maker("terngrad:bucket=512"), gradient);
  EXPECT_NEAR(mean, omega, 5 * error);
  EXPECT_LT(error, omega / 50);
}

TEST(TernGrad, SharedSumsAreWholeNumbersInAsFewBitsAsTheyNeed) {
  for (const int workers : {1, 2, 3, 7, 8}) {
    TestExchange exchange(maker("terngrad:shared"), workers);
    std::vector<OwnedGradients> gradients;
    float scale = 0;
    for (std::uint32_t w = 0; w < static_cast<std::uint32_t>(workers); ++w) {
      gradients.push_back(normal_gradients({{"", 100, 1}}, w));
      for (const float v : flat(gradients.back())) scale = std::max(scale, std::abs(v));
    }
    const auto mean = flat(exchange.mean(gradients));
    for (const float v : mean) {
      const float sum = v / scale * static_cast<float>(workers);
      EXPECT_NEAR(sum, std::round(sum), 1e-4);
      EXPECT_LE(std::abs(sum), static_cast<float>(workers) + 1e-4);
    }
    const auto planes = std::ceil(std::log2(2 * workers + 1));
    EXPECT_EQ(static_cast<double>(exchange.phases()[1].down.words().size()), planes * 4) << workers;
    EXPECT_EQ(exchange.phases()[0].down.floats()[0], scale);
  }
}

// A worker with small gradients among workers with large ones still has the correct mean.
TEST(TernGrad, ASharedScaleKeepsTheMean) {
  constexpr int kSteps = 20000;
  const std::vector<float> large{8, -4, 0, 1}, small{0.5F, 0.25F, -0.125F, 0};
  TestExchange exchange(maker("terngrad:shared"), 2);
  std::vector<double> sum(4), squares(4);
  for (int step = 0; step < kSteps; ++step) {
    const auto out = flat(exchange.mean({vector_of(large), vector_of(small)}));
    for (std::size_t i = 0; i < 4; ++i) {
      sum[i] += out[i] / kSteps;
      squares[i] += double{out[i]} * out[i] / kSteps;
    }
  }
  for (std::size_t i = 0; i < 4; ++i) {
    const double error = std::sqrt(std::max(0.0, squares[i] - sum[i] * sum[i]) / kSteps);
    EXPECT_NEAR(sum[i], (large[i] + small[i]) / 2, 5 * error + 1e-6) << i;
  }
}

TEST(TernGrad, ClippingLimitsTheScale) {
  std::vector<float> x(101, 0.0F);
  for (std::size_t i = 0; i < 100; ++i) x[i] = i % 2 == 0 ? 1.0F : -1.0F;
  x[100] = 1000;
  const double mean = 1000 / 101.0, spread = std::sqrt((100 + 1e6) / 101 - mean * mean);
  for (const auto* more : {"", ",shared"}) {
    TestExchange exchange(maker(fmt::format("terngrad:clip=2.5{}", more)), 1);
    const auto out = flat(exchange.mean({vector_of(x)}));
    EXPECT_NEAR(out[100], 2.5 * spread, 1e-4 * spread);
  }
}

TEST(TernGrad, WithoutSpreadNothingIsClipped) {
  for (const std::vector<float>& x : {std::vector<float>{3}, std::vector<float>(50, -0.7F)}) {
    TestExchange exchange(maker("terngrad:clip=2.5"), 1);
    EXPECT_EQ(flat(exchange.mean({vector_of(x)})), x);
  }
}

TEST(TernGrad, WhatIsNotFiniteSpoilsItsTensorAlone) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    for (const auto* spec : {"terngrad", "terngrad:shared", "terngrad:clip=2,shared"}) {
      TestExchange exchange(maker(spec), 2);
      const OwnedGradients good{{0, 2, 1, {1, -1}}, {1, 2, 1, {2, 2}}};
      const OwnedGradients spoilt{{0, 2, 1, {bad, -1}}, {1, 2, 1, {2, 2}}};
      const auto out = flat(exchange.mean({good, spoilt}));
      EXPECT_TRUE(std::isnan(out[0]) && std::isnan(out[1])) << spec;
      EXPECT_EQ(out[2], 2) << spec;
      EXPECT_EQ(out[3], 2) << spec;
    }
  }
}

TEST(TernGrad, AnImpossibleScaleOrSumIsAPacketError) {
  TestExchange exchange(maker("terngrad:shared"), 2);
  const auto x = vector_of({1, -1, 1});
  exchange.mean({x, x});
  auto out = x;
  Round round{.seed = 1, .workers = 2, .count = 3};
  auto scale = exchange.phases()[0].down;
  scale.floats()[0] = -1;
  EXPECT_THROW(decode_to(views_of(out), exchange.worker(0), round, scale), PacketError);
  round.phase = 1;
  auto sums = exchange.phases()[1].down;  // sums of 0 … 4 in three planes
  ASSERT_EQ(sums.words().size(), 3U);
  EXPECT_NO_THROW(decode_to(views_of(out), exchange.worker(0), round, sums));
  sums.words()[0] |= 1;
  sums.words()[2] |= 1;
  EXPECT_THROW(decode_to(views_of(out), exchange.worker(0), round, sums), PacketError);
}

}  // namespace
}  // namespace terse
