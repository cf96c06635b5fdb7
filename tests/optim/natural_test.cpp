// Tests of natural compression.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "exchanges.hpp"
#include "tersegrad/optim/testing/law_statistics.hpp"

namespace terse {
namespace {

using Limits = std::numeric_limits<float>;

std::unique_ptr<Compressor> natural() {
  return make_compressor("natural");
}

std::vector<float> reconstruction_of(std::vector<float> values) {
  TestExchange exchange(natural, 1);
  return flat(exchange.mean({vector_of(std::move(values))}));
}

TEST(Natural, PowersOfTwoAndZeroAreExact) {
  std::vector<float> x{0};
  for (int a = -126; a <= 127; ++a) x.push_back(std::ldexp(a % 2 == 0 ? 1.0F : -1.0F, a));
  EXPECT_EQ(reconstruction_of(x), x);
}

TEST(Natural, AValueBecomesOneOfItsNeighbours) {
  const auto x = normal_gradients({{"", 1000, 1}}, 1)[0].values;
  const auto out = reconstruction_of(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float below = std::copysign(std::exp2(std::floor(std::log2(std::abs(x[i])))), x[i]);
    EXPECT_TRUE(out[i] == below || out[i] == 2 * below) << x[i] << " became " << out[i];
  }
}

// f (1 - f) / (1 + f)^2 is largest at f = 1/3.
TEST(Natural, VarianceIsAnEighthAtMost) {
  for (int ninths = 1; ninths <= 5; ++ninths) {
    const float part = static_cast<float>(ninths) / 9;
    const auto x = vector_of(std::vector<float>(2000, 1 + part));
    const auto [mean, error] = measured_error(natural, x);
    EXPECT_LE(mean, 0.125 + 5 * error);
    if (ninths == 3) {
      EXPECT_GE(mean, 0.125 - 5 * error);
    }
  }
}

// From 2^-126 on the variance is at most x^2 / 8. Below it is |x| (2^-126 - |x|): at most 2^-254, and
// more than x^2 / 8 for |x| below 8/9 of 2^-126.
TEST(Natural, BelowTheLeastPowerTheVarianceIsAbsolute) {
  constexpr float kLeast = Limits::min();
  for (const double part : {0.01, 0.5, 0.7, 0.95, 1.0, 1.25, 1.5}) {
    const float x = static_cast<float>(part) * kLeast;
    const auto [relative, error] = measured_error(natural, vector_of(std::vector<float>(20000, x)));
    const double expected = part < 1 ? (1 - part) / part : (part - 1) * (2 - part) / (part * part);
    EXPECT_NEAR(relative, expected, 5 * error + 1e-6) << part;
    EXPECT_EQ(relative <= 0.125 + 5 * error, part >= 8.0 / 9) << part;
    EXPECT_LE(relative * part * part, 0.25 + 5 * error) << part;
  }
}

TEST(Natural, SmallestValuesAreRightInTheMean) {
  constexpr int kN = 100000;
  const float least = Limits::min(), x = -0.3F * least;  // below the least power that the code has
  double sum = 0;
  for (const float v : reconstruction_of(std::vector<float>(kN, x))) {
    ASSERT_TRUE(v == 0 || v == -least) << v;
    sum += double{v} / least;
  }
  EXPECT_NEAR(sum / kN, -0.3, 5 * std::sqrt(0.3 * 0.7 / kN));
}

TEST(Natural, WhatIsNotFinitePassesAndSpoilsNothing) {
  const auto out =
      reconstruction_of({1, Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity(), -2,
                         -Limits::quiet_NaN(), -0.0F, Limits::max(), Limits::lowest()});
  EXPECT_EQ(out[0], 1);
  EXPECT_TRUE(std::isnan(out[1]));
  EXPECT_EQ(out[2], Limits::infinity());
  EXPECT_EQ(out[3], -Limits::infinity());
  EXPECT_EQ(out[4], -2);
  EXPECT_TRUE(std::isnan(out[5]));
  EXPECT_EQ(out[6], 0);
  EXPECT_EQ(out[7], std::ldexp(1.0F, 127));
  EXPECT_EQ(out[8], -std::ldexp(1.0F, 127));
}

TEST(Natural, NineBitsAValue) {
  TestExchange exchange(natural, 1);
  exchange.mean({normal_gradients({{"", 320, 10}}, 1)});
  EXPECT_EQ(exchange.phases()[0].up[0].payload().size() * 8, 9U * 3200);
}

}  // namespace
}  // namespace terse
