// Tests of PowerSGD in half-steps: nothing is lost, the factors alternate, and it recovers from
// NaN.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/testing/exchange.hpp"
#include "tersegrad/optim/testing/state.hpp"

namespace terse {
namespace {

// min_rate=0: small matrices are factored too.
MakeCompressor alternating(const std::string& options) {
  return [options] { return make_compressor("powersgd:alternate,min_rate=0," + options); };
}

OwnedGradients matrix(std::uint32_t draw, std::int64_t n = 12, std::int64_t m = 9) {
  return normal_gradients({{"", n, m}}, draw);
}

double norm(const std::vector<float>& x) {
  double sum = 0;
  for (const float value : x) sum += double{value} * value;
  return std::sqrt(sum);
}

double distance(const OwnedGradients& a, const OwnedGradients& b) {
  auto x = flat(a);
  const auto y = flat(b);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] -= y[i];
  return norm(x);
}

TEST(AlternatingPowerSgd, ApproximationAndResidualAreTheGradient) {
  for (int iterations = 1; iterations <= 6; ++iterations) {
    TestExchange exchange(
        [&] {
          return make_compressor(
              fmt::format("powersgd:rank=2,alternate,iterations={},min_rate=0+ef", iterations));
        },
        1);
    std::vector<float> before(12 * 9);
    for (std::uint32_t step = 0; step < 5; ++step) {
      const auto gradient = flat(matrix(step)), sent = flat(exchange.mean({matrix(step)}));
      const auto after = residual_of(exchange.worker(0));
      for (std::size_t i = 0; i < before.size(); ++i) {
        EXPECT_NEAR(before[i] + gradient[i], sent[i] + after[i], 2e-6) << iterations << " " << step;
      }
      before = after;
    }
  }
}

TEST(AlternatingPowerSgd, FactorsTakeTurns) {
  TestExchange exchange(alternating("rank=2"), 2);
  for (std::uint32_t step = 0; step < 4; ++step) {
    exchange.mean({matrix(step), matrix(step + 10)});
    ASSERT_EQ(exchange.phases().size(), 1U);
    EXPECT_EQ(exchange.phases()[0].up[0].floats().size(), 2U * (step % 2 == 0 ? 9U : 12U));
  }
}

// Further half-steps on the remainder reduce it with every phase. A matrix of rank r leaves no
// remainder once one factor spans its range.
TEST(AlternatingPowerSgd, FurtherHalfStepsLeaveLess) {
  double last = norm(flat(matrix(3)));
  for (int iterations = 1; iterations <= 5; ++iterations) {
    TestExchange exchange(alternating(fmt::format("rank=2,iterations={}", iterations)), 1);
    const auto left = distance(exchange.mean({matrix(3)}), matrix(3));
    EXPECT_LT(left, 0.95 * last) << iterations;
    last = left;
  }
}

TEST(AlternatingPowerSgd, AConstantMatrixOfLowRankIsExactFromTheSecondStepOn) {
  auto low = zero_gradients({{"", 12, 9}});
  const auto u = matrix(1, 2, 12), v = matrix(2, 2, 9);
  for (std::size_t i = 0; i < low[0].values.size(); ++i) {
    for (std::size_t c = 0; c < 2; ++c) {
      low[0].values[i] += u[0].values[c * 12 + i / 9] * v[0].values[c * 9 + i % 9];
    }
  }
  TestExchange exchange(alternating("rank=2"), 2);
  EXPECT_GT(distance(exchange.mean({low, low}), low), 0.1 * norm(flat(low)));
  for (int step = 1; step < 4; ++step) {
    EXPECT_LT(distance(exchange.mean({low, low}), low), 1e-5 * norm(flat(low))) << step;
  }
  const auto zero = zero_gradients({{"", 12, 9}});
  EXPECT_EQ(norm(flat(exchange.mean({zero, zero}))), 0);
  exchange.mean({low, low});
  EXPECT_LT(distance(exchange.mean({low, low}), low), 1e-5 * norm(flat(low))) << "after zeros";
}

TEST(AlternatingPowerSgd, FullRankIsTheMean) {
  TestExchange exchange(alternating("rank=50"), 3);
  for (std::uint32_t step = 0; step < 6; ++step) {
    const std::vector<OwnedGradients> workers{matrix(3 * step, 5, 12), matrix(3 * step + 1, 5, 12),
                                              matrix(3 * step + 2, 5, 12)};
    const auto mean = mean_of(workers), sent = exchange.mean(workers);
    // A basis of 5 columns of length 5 is complete; one of 5 columns of length 12 is not.
    if (step % 2 == 1) continue;
    EXPECT_LT(distance(sent, mean), 1e-5 * norm(flat(mean))) << step;
  }
}

TEST(AlternatingPowerSgd, RecoversFromNan) {
  auto broken = matrix(1);
  broken[0].values[3] = std::nanf("");
  TestExchange exchange(alternating("rank=2"), 2);
  exchange.mean({matrix(2), broken});
  for (std::uint32_t step = 0; step < 2; ++step) {
    for (const float value : flat(exchange.mean({matrix(2), matrix(3)}))) {
      EXPECT_TRUE(std::isfinite(value)) << step;
    }
  }
}

TEST(AlternatingPowerSgd, VectorsAreTheExactMean) {
  TestExchange power(alternating("rank=2,iterations=3"), 3),
      none([] { return make_compressor("none"); }, 3);
  std::vector<OwnedGradients> workers;
  for (std::uint32_t w = 0; w < 3; ++w) {
    workers.push_back(normal_gradients({{"", 7, 1}, {"", 8, 4}, {"", 100, 1}}, w));
  }
  const auto a = power.mean(workers), b = none.mean(workers);
  EXPECT_EQ(a[0].values, b[0].values);
  EXPECT_EQ(a[2].values, b[2].values);
  EXPECT_NE(a[1].values, b[1].values);
}

TEST(AlternatingPowerSgd, HasNoColdStart) {
  EXPECT_THROW(make_compressor("powersgd:alternate,warm=false"), UsageError);
  EXPECT_THROW(make_compressor("powersgd:alternate,warm"), UsageError);
}

}  // namespace
}  // namespace terse
