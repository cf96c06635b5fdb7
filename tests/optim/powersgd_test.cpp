// Tests of PowerSGD: a single matrix, many steps, and matrices for which Gram-Schmidt breaks down.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tersegrad/optim/kernels/low_rank.hpp"
#include "tersegrad/optim/kernels/svd.hpp"
#include "tersegrad/optim/testing/exchange.hpp"
#include "tersegrad/optim/testing/state.hpp"

namespace terse {
namespace {

using Matrix = OwnedTensor;

// min_rate=0: matrices that their factors do not make smaller are factored too.
MakeCompressor powersgd(const std::string& options) {
  return [options] { return make_compressor("powersgd:min_rate=0," + options); };
}

Matrix random_matrix(std::int64_t n, std::int64_t m, std::uint32_t draw) {
  return normal_gradients({{"", n, m}}, draw).front();
}

// A sum of `rank` outer products.
Matrix low_rank_matrix(std::int64_t n, std::int64_t m, std::int64_t rank) {
  Matrix sum = zero_gradients({{"", n, m}}).front();
  for (std::int64_t c = 0; c < rank; ++c) {
    const auto u = random_matrix(n, 1, 50 + static_cast<std::uint32_t>(c));
    const auto v = random_matrix(1, m, 80 + static_cast<std::uint32_t>(c));
    for (std::int64_t i = 0; i < n * m; ++i) {
      sum.values[i] += u.values[i / m] * v.values[i % m];
    }
  }
  return sum;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double{a[i]} - b[i], 2);
  return std::sqrt(sum);
}

double norm(const std::vector<float>& a) {
  return distance(a, std::vector<float>(a.size()));
}

double relative_error(const Matrix& matrix, const OwnedGradients& approximation) {
  return distance(approximation[0].values, matrix.values) / norm(matrix.values);
}

TEST(PowerSgd, LowRankIsExactInOneStep) {
  for (const std::int64_t rank : {1, 2, 3}) {
    const auto matrix = low_rank_matrix(30, 20, rank);
    for (const auto* options : {"rank=3", "rank=7"}) {
      TestExchange exchange(powersgd(options), 1);
      EXPECT_LT(relative_error(matrix, exchange.mean({{matrix}})), 2e-6) << rank << " " << options;
    }
  }
}

TEST(PowerSgd, FullRankIsTheMeanForAnyNumberOfSteps) {
  for (const auto& [n, m] : {std::pair<std::int64_t, std::int64_t>{5, 12}, {12, 5}, {6, 6}}) {
    TestExchange exchange(powersgd("rank=50"), 3);  // clamped to min(n, m)
    for (std::uint32_t step = 0; step < 20; ++step) {
      std::vector<OwnedGradients> workers;
      for (std::uint32_t w = 0; w < 3; ++w) workers.push_back({random_matrix(n, m, 3 * step + w)});
      EXPECT_LT(relative_error(mean_of(workers)[0], exchange.mean(workers)), 1e-5) << step;
    }
  }
}

TEST(PowerSgd, VectorsAreTheExactMean) {
  TestExchange power(powersgd("rank=2"), 3), none([] { return make_compressor("none"); }, 3);
  std::vector<OwnedGradients> workers;
  for (std::uint32_t w = 0; w < 3; ++w) {
    workers.push_back(normal_gradients({{"", 7, 1}, {"", 8, 4}, {"", 100, 1}}, w));
  }
  const auto a = power.mean(workers), b = none.mean(workers);
  EXPECT_EQ(a[0].values, b[0].values);
  EXPECT_EQ(a[2].values, b[2].values);
  EXPECT_NE(a[1].values, b[1].values);
}

TEST(PowerSgd, WhatIsLostIsOrthogonalToWhatIsSent) {
  // D - P P^T D|^2 = |D|^2 - |P^T D|^2, and the packet's Q is P^T D.
  const auto matrix = random_matrix(40, 25, 3);
  TestExchange exchange(powersgd("rank=4"), 1);
  const auto lost = distance(exchange.mean({{matrix}})[0].values, matrix.values);
  const auto q = exchange.phases()[1].up[0].floats();
  const std::vector<float> sent(q.begin(), q.end());
  const double expected = std::pow(norm(matrix.values), 2) - std::pow(norm(sent), 2);
  EXPECT_NEAR(lost * lost, expected, 1e-4 * expected);
}

// sum of ratio^c u_c v_c^T with orthonormal u and v: the singular values are ratio^c exactly.
Matrix matrix_with_singular_values(std::int64_t n, std::int64_t m, std::int64_t rank,
                                   double ratio) {
  auto u = random_matrix(rank, n, 1).values, v = random_matrix(rank, m, 2).values;
  kernels::orthonormalise(n, rank, u);
  kernels::orthonormalise(m, rank, v);
  Matrix sum = zero_gradients({{"", n, m}}).front();
  for (std::int64_t c = 0; c < rank; ++c) {
    const double size = std::pow(ratio, static_cast<double>(c));
    for (std::int64_t i = 0; i < n * m; ++i) {
      sum.values[i] += static_cast<float>(size * u[c * n + i / m] * v[c * m + i % m]);
    }
  }
  return sum;
}

TEST(PowerSgd, WarmStartConvergesToTheBestApproximation) {
  constexpr double kRatio = 0.5;
  constexpr std::int64_t kRank = 8, kKept = 2;
  const auto matrix = matrix_with_singular_values(30, 20, kRank, kRatio);
  double best = 0;  // squared error of the SVD
  for (auto c = kKept; c < kRank; ++c) best += std::pow(kRatio, 2.0 * static_cast<double>(c));
  TestExchange exchange(powersgd("rank=2"), 1);
  std::vector<double> excess;
  for (int step = 0; step < 12; ++step) {
    const auto error = distance(exchange.mean({{matrix}})[0].values, matrix.values);
    excess.push_back(error * error - best);
    if (step > 0) {
      EXPECT_LE(excess[step], excess[step - 1] + 1e-6) << step;
    }
  }
  EXPECT_NEAR(excess.back(), 0, 1e-6);
  // The tangent of the angle to the best subspace falls by (s_3 / s_2)^2 per step, and its square
  // by (s_3 / s_2)^4.
  const double per_step = std::sqrt(excess[3] / excess[1]);
  EXPECT_NEAR(per_step, std::pow(kRatio, 4), 0.4 * std::pow(kRatio, 4));
}

TEST(PowerSgd, IterationsComeCloserToTheBestApproximation) {
  // The singular values are 1, 1/2, 1/4, …: each further iteration reduces the excess over the best
  // error by a factor of about 16.
  const auto matrix = matrix_with_singular_values(30, 20, 8, 0.5);
  double best = 0;
  for (int c = 2; c < 8; ++c) best += std::pow(0.25, c);
  std::vector<double> excess;
  for (const auto* options :
       {"rank=2,warm=false", "rank=2,warm=false,iterations=2", "rank=2,warm=false,iterations=4"}) {
    double sum = 0;
    TestExchange exchange(powersgd(options), 1);
    for (int step = 0; step < 20; ++step) {
      const auto error = distance(exchange.mean({{matrix}})[0].values, matrix.values);
      sum += error * error - best;
    }
    excess.push_back(sum / 20);
  }
  EXPECT_LT(excess[1], excess[0] / 4);
  EXPECT_LT(excess[2], excess[1] / 16);
}

// The paper's comparison is with the best approximation of the mean matrix. The mean of the
// workers' best approximations is another matrix, of a higher rank.
TEST(PowerSgd, IterationsConvergeToTheBestApproximationOfTheMean) {
  constexpr std::int64_t kN = 30, kM = 20, kRank = 2;
  const auto common = matrix_with_singular_values(kN, kM, 8, 0.5);
  const auto noise = random_matrix(kN, kM, 10);
  std::vector<OwnedGradients> workers(3, {common});
  for (std::int64_t i = 0; i < kN * kM; ++i) {  // cancels out in the average
    workers[0][0].values[i] += 0.1F * noise.values[i];
    workers[1][0].values[i] -= 0.1F * noise.values[i];
  }
  const auto mean = mean_of(workers)[0];
  const auto svd = kernels::svd({kN, kM, mean.values});
  std::vector<float> best(kN * kM);
  for (std::int64_t c = 0; c < kRank; ++c) {
    for (std::int64_t i = 0; i < kN * kM; ++i) {
      best[i] += svd.s[c] * svd.u[c * kN + i / kM] * svd.v[c * kM + i % kM];
    }
  }
  const auto away_from_best = [&](const std::string& spec) {
    TestExchange exchange([&] { return make_compressor(spec); }, 3);
    return distance(exchange.mean(workers)[0].values, best) / norm(best);
  };
  const auto after = [&](int iterations) {
    return away_from_best(
        fmt::format("powersgd:rank=2,warm=false,min_rate=0,iterations={}", iterations));
  };
  double last = after(1);
  for (const int iterations : {2, 4, 8}) {
    const double away = after(iterations);
    EXPECT_LT(away, last / 2) << iterations;
    last = away;
  }
  EXPECT_LT(after(40), 1e-5);
  EXPECT_GT(away_from_best("svd:rank=2"), 0.1);
}

TEST(PowerSgd, IterationsOfAWarmStartAreStepsOnTheSameMatrix) {
  const auto matrix = random_matrix(20, 15, 4);
  TestExchange three(powersgd("rank=2,iterations=3"), 2), one(powersgd("rank=2"), 2);
  const auto at_once = three.mean({{matrix}, {matrix}});
  OwnedGradients stepwise;
  for (int step = 0; step < 3; ++step) stepwise = one.mean({{matrix}, {matrix}});
  EXPECT_TRUE(same_bits(at_once, stepwise));
  EXPECT_EQ(three.phases().size(), 6U);
}

TEST(PowerSgd, MinRateIsStrict) {
  const auto floats = [](std::int64_t n, std::int64_t m, const std::string& options) {
    TestExchange exchange([=] { return make_compressor("powersgd:" + options); }, 1);
    exchange.mean({{random_matrix(n, m, 1)}});
    std::size_t sum = 0;
    for (const auto& phase : exchange.phases()) sum += phase.up[0].floats().size();
    return sum;
  };
  // 12 x 6 at rank 2: 2 (12 + 6) = 36 floats instead of 72, a compression rate of exactly 2.
  EXPECT_EQ(floats(12, 6, "rank=2"), 36U);
  EXPECT_EQ(floats(12, 6, "rank=2,min_rate=1.99"), 36U);
  EXPECT_EQ(floats(12, 6, "rank=2,min_rate=2"), 72U);
  EXPECT_EQ(floats(12, 6, "rank=1,iterations=2,min_rate=2"), 72U);
  // The default: factors of the matrix's own size, 2 (4 + 4) = 16 floats, are not sent.
  EXPECT_EQ(floats(4, 4, "rank=2,min_rate=0.99"), 16U);
  const auto matrix = random_matrix(4, 4, 1);
  for (const auto* options : {"powersgd:rank=2", "powersgd:rank=4,alternate"}) {
    TestExchange whole([=] { return make_compressor(options); }, 1);
    EXPECT_EQ(whole.mean({{matrix}})[0].values, matrix.values) << options;
  }
}

TEST(PowerSgd, WithoutWarmStartEveryStepIsADrawOfItsOwn) {
  const auto matrix = random_matrix(20, 20, 4);
  TestExchange cold(powersgd("rank=2,warm=false"), 1), warm(powersgd("rank=2"), 1);
  double cold_error = 0, warm_error = 0;
  for (int step = 0; step < 30; ++step) {
    cold_error = relative_error(matrix, cold.mean({{matrix}}));
    warm_error = relative_error(matrix, warm.mean({{matrix}}));
  }
  EXPECT_LT(warm_error, cold_error);
}

TEST(PowerSgd, ZeroGradientsDoNotSilenceItForEver) {
  const auto matrix = low_rank_matrix(10, 8, 2);
  TestExchange exchange(powersgd("rank=2"), 2);
  const auto zero = zero_gradients({{"", 10, 8}});
  EXPECT_EQ(norm(flat(exchange.mean({zero, zero}))), 0);
  EXPECT_LT(relative_error(matrix, exchange.mean({{matrix}, {matrix}})), 1e-5);
}

TEST(PowerSgd, DroppedColumnsAreDrawnAnewForTheNextStepOnly) {
  // A matrix of rank 1 with r = 2 is exact. The redrawn column then makes a matrix of rank 2 exact.
  const auto one = low_rank_matrix(10, 8, 1), two = low_rank_matrix(10, 8, 2);
  TestExchange exchange(powersgd("rank=2"), 1);
  EXPECT_LT(relative_error(one, exchange.mean({{one}})), 2e-6);
  EXPECT_LT(relative_error(one, exchange.mean({{one}})), 2e-6);
  EXPECT_LT(relative_error(two, exchange.mean({{two}})), 1e-5);
}

TEST(PowerSgd, RecoversFromNan) {
  auto broken = random_matrix(10, 8, 1);
  broken.values[3] = std::nanf("");
  const auto matrix = low_rank_matrix(10, 8, 2);
  TestExchange exchange(powersgd("rank=2"), 1);
  exchange.mean({{broken}});
  EXPECT_LT(relative_error(matrix, exchange.mean({{matrix}})), 1e-5);
}

// P is orthonormalised in any case, so a basis of Q's span gives the same result as Q.
TEST(PowerSgd, AnOrthonormalBasisOfQGivesTheSameProjection) {
  constexpr std::int64_t kN = 30, kM = 20, kRank = 3;
  const auto matrix = random_matrix(kN, kM, 6);
  auto q = random_matrix(kRank, kM, 7).values;
  const auto projection = [&] {
    std::vector<float> p(kRank * kN), projector(kN * kN);
    kernels::times_q({kN, kM, matrix.values}, kRank, q, p);
    kernels::orthonormalise(kN, kRank, p);
    kernels::outer_product(kN, kN, kRank, p, p, projector);
    return projector;
  };
  const auto before = projection();
  kernels::orthonormalise(kM, kRank, q);
  EXPECT_LT(distance(projection(), before), 1e-5);
}

TEST(PowerSgd, OddShapes) {
  for (const auto& [n, m] : {std::pair<std::int64_t, std::int64_t>{1, 9}, {2, 300}, {300, 2}}) {
    TestExchange exchange(powersgd("rank=4"), 2);
    const auto a = random_matrix(n, m, 1), b = random_matrix(n, m, 2);
    const auto mean = mean_of({{a}, {b}});
    EXPECT_LT(relative_error(mean[0], exchange.mean({{a}, {b}})), 1e-5) << n << "x" << m;
  }
}

// The stored Q would carry the scale of the gradients into the next product M Q: 1e19 would square
// to an infinity, and 1e-22 to a subnormal number of a few bits.
TEST(PowerSgd, TheScaleOfTheGradientsDoesNotChangeTheApproximation) {
  const auto matrix = random_matrix(10, 8, 2);
  for (const auto* options : {"rank=2", "rank=2,iterations=2", "rank=2,warm=false,iterations=3",
                              "rank=2,alternate", "rank=2,alternate,iterations=3", "rank=2+ef"}) {
    for (const int exponent : {63, 85, 110, -73, -83, -110}) {
      auto scaled = matrix;
      for (float& value : scaled.values) value = std::ldexp(value, exponent);
      TestExchange exchange(powersgd(options), 2), unscaled(powersgd(options), 2);
      for (int step = 0; step < 4; ++step) {
        auto mean = exchange.mean({{scaled}, {scaled}});
        for (float& value : mean[0].values) value = std::ldexp(value, -exponent);
        ASSERT_TRUE(same_bits(mean, unscaled.mean({{matrix}, {matrix}})))
            << options << ", 2^" << exponent << ", step " << step;
      }
    }
  }
}

TEST(PowerSgd, AllWorkersHoldTheSameQ) {
  TestExchange exchange(powersgd("rank=2"), 3);
  for (std::uint32_t step = 0; step < 3; ++step) {
    exchange.mean({{random_matrix(9, 7, 3 * step)},
                   {random_matrix(9, 7, 3 * step + 1)},
                   {random_matrix(9, 7, 3 * step + 2)}});
    std::vector<std::uint64_t> hashes;
    for (int w = 0; w < 3; ++w) {
      hashes.push_back(state_hash(exchange.worker(w)));
    }
    EXPECT_EQ(hashes[0], hashes[1]);
    EXPECT_EQ(hashes[0], hashes[2]);
  }
}

}  // namespace
}  // namespace terse
