// Tests of SSDM and the stochastic sign: means, integer sums, and zero vectors.
#include <gtest/gtest.h>

#include <cmath>

#include "exchanges.hpp"

namespace terse {
namespace {

// E s = m / |m|_2, coordinate by coordinate.
TEST(Ssdm, SignsHaveTheMeanOfTheDirection) {
  const auto x = vector_of({3, -1, 0, 0.5F, -4});
  const double norm = std::sqrt(9 + 1 + 0.25 + 16);
  constexpr int kSteps = 20000;
  TestExchange exchange(maker("ssdm:beta=0"), 1);
  std::vector<double> sum(5);
  for (int step = 0; step < kSteps; ++step) {
    const auto s = flat(exchange.mean({x}));
    for (std::size_t i = 0; i < sum.size(); ++i) {
      ASSERT_EQ(std::abs(s[i]), 1);
      sum[i] += s[i];
    }
  }
  for (std::size_t i = 0; i < sum.size(); ++i) {
    const double mean = x[0].values[i] / norm, deviation = std::sqrt((1 - mean * mean) / kSteps);
    EXPECT_NEAR(sum[i] / kSteps, mean, 5 * deviation) << i;
  }
}

TEST(Ssdm, SumsAreIntegersWithTheParityOfTheWorkers) {
  for (const int workers : {1, 2, 3, 4, 7}) {
    TestExchange exchange(maker("ssdm:beta=0"), workers);
    std::vector<OwnedGradients> gradients;
    for (std::uint32_t w = 0; w < static_cast<std::uint32_t>(workers); ++w) {
      gradients.push_back(normal_gradients({{"", 70, 3}, {"", 5, 1}}, w));
    }
    for (const float mean : flat(exchange.mean(gradients))) {
      const auto sum = static_cast<int>(std::lround(mean * static_cast<float>(workers)));
      EXPECT_FLOAT_EQ(mean, static_cast<float>(sum) / static_cast<float>(workers));
      EXPECT_LE(std::abs(sum), workers);
      EXPECT_EQ(std::abs(sum) % 2, workers % 2);
    }
  }
}

TEST(Ssdm, DownlinkCountsInAsFewPlanesAsWorkersNeed) {
  const auto planes = [](int workers) {
    TestExchange exchange(maker("ssdm:beta=0"), workers);
    exchange.mean(std::vector<OwnedGradients>(workers, vector_of(std::vector<float>(64, 1.0F))));
    return exchange.phases()[0].down.payload().size() / 8;
  };
  EXPECT_EQ(planes(1), 1U);
  EXPECT_EQ(planes(3), 2U);
  EXPECT_EQ(planes(4), 3U);
  EXPECT_EQ(planes(7), 3U);
  EXPECT_EQ(planes(8), 4U);
}

TEST(Ssdm, ZeroVectorsHaveNoSigns) {
  const auto zero = vector_of({0, 0, 0}), one_hot = vector_of({0, -2, 0});
  TestExchange exchange(maker("ssdm:beta=0"), 3);
  EXPECT_EQ(flat(exchange.mean({zero, zero, zero})), (std::vector<float>{0, 0, 0}));
  // A coordinate that holds the whole norm keeps its sign with certainty. Workers with zero vectors
  // do not contribute.
  EXPECT_FLOAT_EQ(flat(exchange.mean({zero, one_hot, zero}))[1], -1.0F / 3);
  EXPECT_FLOAT_EQ(flat(exchange.mean({one_hot, one_hot, zero}))[1], -2.0F / 3);
}

TEST(Ssdm, OneCoordinateHasItsSignSurely) {
  TestExchange exchange(maker("ssdm:beta=0"), 1);
  for (int step = 0; step < 50; ++step) {
    EXPECT_EQ(flat(exchange.mean({vector_of({-1e-30F})}))[0], -1);
    EXPECT_EQ(flat(exchange.mean({vector_of({5})}))[0], 1);
  }
}

// m = g_0 in the first step, then beta m + (1 - beta) g: a huge first gradient determines the sign
// for many steps.
TEST(Ssdm, MomentumBeginsWithTheFirstGradient) {
  TestExchange exchange(maker("ssdm:beta=0.9"), 1);
  EXPECT_EQ(flat(exchange.mean({vector_of({1000})}))[0], 1);
  for (int step = 0; step < 20; ++step) {
    EXPECT_EQ(flat(exchange.mean({vector_of({-1})}))[0], 1);
  }
}

TEST(SignumWarmup, ConstantsOfTheTheorem) {
  for (const auto& [beta, steps] :
       std::vector<std::pair<std::string, std::uint64_t>>{{"0.5", 1}, {"0.9", 54}, {"0.99", 894}}) {
    // Momentum from +1000 keeps voting plus. During the warm-up the gradient itself votes.
    TestExchange exchange(maker("vote:warmup,beta=" + beta), 1);
    exchange.mean({vector_of({1000})});
    std::uint64_t raw = 1;
    while (flat(exchange.mean({vector_of({-1e-6F})}))[0] < 0 && raw < 2000) ++raw;
    EXPECT_EQ(raw, steps) << "beta " << beta;
  }
}

// With noise that is large compared to the gradients, the vote of many coordinates follows the mean
// of the workers. Here two workers have a small gradient and one has a large one of the opposite
// sign.
TEST(NoisySign, FollowsTheMeanWhereVotesFollowTheMedian) {
  const std::vector<float> small(20000, 0.2F), large(20000, -1.0F);
  const auto mean = [&](const std::string& spec) {
    TestExchange exchange(maker(spec), 3);
    double sum = 0;
    for (const float v :
         flat(exchange.mean({vector_of(small), vector_of(small), vector_of(large)}))) {
      sum += v;
    }
    return sum / 20000;
  };
  EXPECT_EQ(mean("vote"), 1);                                   // two of three
  EXPECT_LT(mean("noisy_sign:sigma=3,scale=absolute"), -0.05);  // the mean is -0.2
}

}  // namespace
}  // namespace terse
