#include "tersegrad/inspect/gradient_statistics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"

namespace terse {
namespace {

TEST(Density, HasItsKnownValues) {
  constexpr std::size_t kD = 100'000;
  Philox draws(1, {.purpose = Purpose::test});
  std::vector<double> normal(kD), laplace(kD), one_hot(kD), zeros(kD);
  for (auto& value : normal) value = static_cast<double>(draws.normal());
  for (auto& value : laplace) {
    const double u = draws.uniform_double() - 0.5;
    value = std::copysign(std::log1p(-2 * std::abs(u)), u);
  }
  one_hot[7] = -3;
  // The standard error of phi is below 2 / sqrt(d).
  EXPECT_NEAR(density(normal).value(), 2 / std::numbers::pi, 5 * 2 / std::sqrt(kD));
  EXPECT_NEAR(density(laplace).value(), 0.5, 5 * 2 / std::sqrt(kD));
  EXPECT_DOUBLE_EQ(density(one_hot).value(), 1.0 / kD);
  EXPECT_NEAR(density(std::vector<double>(kD, -2)).value(), 1, 1e-12);
  EXPECT_FALSE(density(zeros).has_value());
}

// Three tensors: normal noise around a normal mean; exponential noise, which is skewed, around
// zero; and a constant tensor.
TEST(GradientStatistics, FindWhatTheDistributionsHave) {
  constexpr std::size_t kN = 400;
  constexpr int kSamples = 3000;
  std::vector<float> center(kN);
  Philox means(3, {.purpose = Purpose::test, .step = 1});
  for (auto& value : center) value = means.normal();
  GradientStatistics statistics({{"normal", kN}, {"skewed", kN}, {"still", 5}}, 1);
  Philox draws(3, {.purpose = Purpose::test, .step = 2});
  std::vector<float> g(2 * kN + 5);
  for (int sample = 0; sample < kSamples; ++sample) {
    for (std::size_t i = 0; i < kN; ++i) {
      const float sigma = i % 2 == 0 ? 1.0F : 3.0F;
      g[i] = center[i] + sigma * draws.normal();
      g[kN + i] = static_cast<float>(-1 - std::log1p(-draws.uniform_double()));
    }
    statistics.add(g);
  }
  const auto reports = statistics.report();
  ASSERT_EQ(reports.size(), 4);
  const auto& [whole, normal, skewed, still] =
      std::tie(reports[0], reports[1], reports[2], reports[3]);

  EXPECT_EQ(normal.name, "normal");
  EXPECT_NEAR(normal.variance, kN * 5, kN * 5 * 0.02);  // (1 + 9) / 2 each
  EXPECT_NEAR(normal.density_noise.value(), 2 * 2 / 5.0, 0.01);
  EXPECT_NEAR(normal.density_mean.value(), 2 / std::numbers::pi, 0.1);
  double snr = 0, most = 0, below = 0;
  for (std::size_t i = 0; i < kN; ++i) {
    const double s = std::abs(center[i]) / (i % 2 == 0 ? 1 : 3);
    snr += s / kN;
    most = std::max(most, s);
    below += (s < 2 / std::numbers::sqrt3 ? 1.0 : 0.0) / kN;
  }
  EXPECT_NEAR(normal.snr_mean, snr, 0.02);
  EXPECT_NEAR(normal.snr_max, most, 0.3);
  EXPECT_NEAR(normal.snr_below, below, 0.01);
  EXPECT_NEAR(normal.below_mean, 0.5, 5 * 0.5 / std::sqrt(64 * kSamples));
  EXPECT_NEAR(normal.skewness, 0, 5 * std::sqrt(6.0 / (64 * kSamples)));

  EXPECT_NEAR(skewed.below_mean, 1 - 1 / std::numbers::e, 0.01);
  EXPECT_NEAR(skewed.skewness, 2, 0.1);
  EXPECT_NEAR(skewed.density_noise.value(), 1, 0.01) << "all alike";
  EXPECT_EQ(skewed.snr_below, 1);

  EXPECT_FALSE(still.density_mean.has_value());
  EXPECT_FALSE(still.density_noise.has_value());
  EXPECT_EQ(still.variance, 0);
  EXPECT_EQ(still.snr_max, 0);
  EXPECT_NEAR(whole.variance, normal.variance + skewed.variance, 1e-6 * whole.variance);
  EXPECT_EQ(whole.size, 2 * std::int64_t{kN} + 5);
}

TEST(GradientStatistics, WelfordKeepsSmallNoiseOnALargeMean) {
  GradientStatistics statistics({{"a", 1}}, 1);
  for (int sample = 0; sample < 1000; ++sample) {
    statistics.add(std::vector<float>{1e6F + (sample % 2 == 0 ? 1.0F : -1.0F)});
  }
  EXPECT_NEAR(statistics.report()[1].variance, 1000.0 / 999, 1e-6);
}

TEST(GradientStatistics, WantTwoSamplesOfTheRightSize) {
  GradientStatistics statistics({{"a", 2}}, 1);
  EXPECT_THROW(statistics.add(std::vector<float>(3)), Error);
  statistics.add(std::vector<float>(2));
  EXPECT_THROW(statistics.report(), Error);
}

}  // namespace
}  // namespace terse
