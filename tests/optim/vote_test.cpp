// Tests of majority vote: its rules, its statistics, and where signs fail.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "exchanges.hpp"

namespace terse {
namespace {

std::vector<float> vote(const std::string& spec, const std::vector<std::vector<float>>& workers) {
  TestExchange exchange([&] { return make_compressor(spec); }, static_cast<int>(workers.size()));
  std::vector<OwnedGradients> gradients;
  for (const auto& values : workers) gradients.push_back(vector_of(values));
  return flat(exchange.mean(gradients));
}

TEST(Vote, TheMajorityWins) {
  EXPECT_EQ(vote("vote", {{1, -2, 3}, {-9, -1, 1}, {1, 5, 1}}), (std::vector<float>{1, -1, 1}));
}

TEST(Vote, NanVotesPlusAndSoDoZerosIfAsked) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(vote("vote", {{nan, -nan}}), (std::vector<float>{1, 1}));
  EXPECT_EQ(vote("vote:zero=plus", {{0.0F, -0.0F, nan, -nan}}), (std::vector<float>{1, 1, 1, 1}));
}

TEST(Vote, TieRules) {
  EXPECT_EQ(vote("vote:tie=zero", {{1, -1, 1}, {-1, -1, 1}}), (std::vector<float>{0, -1, 1}));
  EXPECT_EQ(vote("vote:tie=plus", {{1, -1, 1}, {-1, -1, 1}}), (std::vector<float>{1, -1, 1}));
  const std::vector<float> plus(10000, 1.0F), minus(10000, -1.0F);
  double sum = 0;
  for (const float value : vote("vote:tie=random", {plus, minus})) {
    ASSERT_EQ(std::abs(value), 1);
    sum += value;
  }
  EXPECT_LT(std::abs(sum), 5 * 100);
}

TEST(Vote, ZeroRules) {
  EXPECT_EQ(vote("vote:zero=zero", {{0, 0, -1}, {0, -1, 0}, {0, 0, 0}}),
            (std::vector<float>{0, -1, -1}));
  // A tie between votes differs from a coordinate for which all workers have zero.
  EXPECT_EQ(vote("vote:zero=zero,tie=plus", {{0, 1}, {0, -1}, {0, 0}}), (std::vector<float>{0, 1}));
  EXPECT_EQ(vote("vote:zero=zero,tie=zero", {{0, 1, 1}, {0, -1, 0}}),
            (std::vector<float>{0, 0, 1}));
}

// A parameter whose gradient stays zero walks at random, about sqrt(K) in K steps, whatever the
// number of workers. If zeros vote plus, it moves by 1 in every step.
TEST(Vote, ZerosDoNotDrift) {
  constexpr std::size_t kCoordinates = 4000;
  constexpr int kSteps = 100;
  const auto walk = [](const std::string& spec, int workers) {
    TestExchange exchange(maker(spec), workers);
    const std::vector<OwnedGradients> zeros(workers, vector_of(std::vector<float>(kCoordinates)));
    std::vector<double> position(kCoordinates);
    for (int step = 0; step < kSteps; ++step) {
      const auto move = flat(exchange.mean(zeros));
      for (std::size_t i = 0; i < kCoordinates; ++i) position[i] += move[i];
    }
    double sum = 0, square = 0;
    for (const double x : position) {
      sum += x / kCoordinates;
      square += x * x / kCoordinates;
    }
    return std::pair(sum, square);
  };
  for (const int workers : {1, 2, 3}) {
    const auto [mean, square] = walk("vote", workers);
    EXPECT_NEAR(mean, 0, 5 * std::sqrt(kSteps / double{kCoordinates})) << workers;
    // The square of a walk of K steps has mean K and variance 2 K (K - 1).
    EXPECT_NEAR(square, kSteps, 5 * kSteps * std::sqrt(2 / double{kCoordinates})) << workers;
    const auto [drift, drift_square] = walk("vote:zero=plus", workers);
    EXPECT_NEAR(drift, kSteps, 1e-6);
    EXPECT_NEAR(drift_square, kSteps * kSteps, 1e-6);
  }
}

// One worker votes minus and three have zeros. The voter wins if at most one of three coins says
// plus (1/2), and half of the ties if two do (3/8): 0.6875. If the three tossed the same coin, they
// would outvote it half of the time.
TEST(Vote, SilentWorkersTossCoinsOfTheirOwn) {
  constexpr std::size_t kCoordinates = 200000;
  const std::vector<float> minus(kCoordinates, -1.0F), zeros(kCoordinates);
  for (const std::size_t voter : {0, 3}) {
    std::vector<std::vector<float>> workers(4, zeros);
    workers[voter] = minus;
    const auto result = vote("vote", workers);
    const auto right = static_cast<double>(std::ranges::count(result, -1.0F));
    EXPECT_NEAR(right / kCoordinates, 0.6875, 5 * std::sqrt(0.6875 * 0.3125 / kCoordinates));
  }
}

// Buckets and slices change no coin; another seed gives others.
TEST(Vote, ACoinBelongsToASeedAWorkerAndACoordinateOfTheModel) {
  const std::vector<MatrixShape> shapes{{"", 10, 7}, {"", 45, 1}, {"", 300, 11}};
  const auto some_zeros = [&](std::uint32_t worker, std::uint32_t step) {
    auto gradient = normal_gradients(shapes, 10 * step + worker);
    for (auto& tensor : gradient) {
      for (float& value : tensor.values) value = std::abs(value) < 0.7F ? 0 : value;
    }
    return gradient;
  };
  for (const auto& [seed, workers] : {std::pair(1U, 1), {1, 2}, {1, 3}, {1, 4}, {2, 1}, {2, 3}}) {
    TestExchange whole(maker("vote"), workers, {.seed = seed});
    TestExchange buckets(maker("vote"), workers, {.seed = seed, .bucket_per_tensor = true});
    TestExchange slices(maker("vote"), workers, {.seed = seed, .slice = 64});
    for (std::uint32_t step = 0; step < 3; ++step) {
      std::vector<OwnedGradients> gradients;
      for (int w = 0; w < workers; ++w) {
        gradients.push_back(some_zeros(static_cast<std::uint32_t>(w), step));
      }
      const auto result = flat(whole.mean(gradients));
      EXPECT_EQ(flat(buckets.mean(gradients)), result);
      EXPECT_EQ(flat(slices.mean(gradients)), result);
      for (std::size_t i = 0; i < result.size(); ++i) {
        int votes = 0;
        for (std::size_t w = 0; w < gradients.size(); ++w) {
          const float value = flat(gradients[w])[i];
          const Philox coins(seed, {.purpose = Purpose::compress,
                                    .worker = static_cast<std::uint32_t>(w),
                                    .step = step});
          const bool minus = value == 0 ? (coins.at(i / 32) >> (i % 32) & 1U) != 0 : value < 0;
          votes += minus ? -1 : 1;
        }
        if (votes == 0) continue;
        ASSERT_EQ(result[i], votes > 0 ? 1 : -1) << i;
      }
    }
  }
}

TEST(Vote, PlanesOnTheWire) {
  const auto planes = [](const std::string& spec, int workers) {
    TestExchange exchange([&] { return make_compressor(spec); }, workers);
    exchange.mean(std::vector<OwnedGradients>(workers, vector_of(std::vector<float>(33, 1.0F))));
    const auto& phase = exchange.phases()[0];
    return std::pair(phase.up[0].payload().size() / 8, phase.down.payload().size() / 8);
  };
  using Planes = std::pair<std::size_t, std::size_t>;
  EXPECT_EQ(planes("vote", 2), Planes(1, 1));
  EXPECT_EQ(planes("vote:tie=zero", 3), Planes(1, 1));
  EXPECT_EQ(planes("vote:tie=zero", 4), Planes(1, 2));
  EXPECT_EQ(planes("vote:zero=zero", 3), Planes(2, 2));
}

// The vote of m workers on many coordinates. Each worker votes plus with probability rho.
std::vector<float> simulated_vote(const std::string& spec, int m, double rho) {
  constexpr std::size_t kCoordinates = 200000;
  std::vector<std::vector<float>> workers;
  for (int w = 0; w < m; ++w) {
    Philox random(17, {.worker = static_cast<std::uint32_t>(w)});
    auto& votes = workers.emplace_back(kCoordinates);
    for (float& value : votes) value = random.uniform_double() < rho ? 1.0F : -1.0F;
  }
  return vote(spec, workers);
}

double drift(const std::vector<float>& votes) {
  double sum = 0;
  for (const float value : votes) sum += value;
  return sum / static_cast<double>(votes.size());
}

// I(rho; l, l) = P(Bin(2l - 1, rho) >= l)
double success_probability(double rho, int l) {
  const int m = 2 * l - 1;
  double sum = 0;
  for (int k = l; k <= m; ++k) {
    const double choices =
        std::exp(std::lgamma(m + 1) - std::lgamma(k + 1) - std::lgamma(m - k + 1));
    sum += choices * std::pow(rho, k) * std::pow(1 - rho, m - k);
  }
  return sum;
}

constexpr double kStandardError = 1 / 447.2;  // of the mean of 200 000 signs, at most

TEST(Vote, SucceedsAsTheIncompleteBetaFunctionSays) {
  for (const double rho : {0.5, 0.6, 0.8}) {
    for (const int l : {1, 2, 4}) {
      const double expected = 2 * success_probability(rho, l) - 1;
      EXPECT_NEAR(drift(simulated_vote("vote", 2 * l - 1, rho)), expected, 5 * kStandardError);
      // One more voter does not help if ties are resolved fairly.
      EXPECT_NEAR(drift(simulated_vote("vote:tie=zero", 2 * l, rho)), expected, 5 * kStandardError);
      EXPECT_NEAR(drift(simulated_vote("vote:tie=random", 2 * l, rho)), expected,
                  5 * kStandardError);
    }
  }
}

TEST(Vote, TiesToPlusDriftUpwards) {
  for (const auto& [m, expected] : {std::pair(2, 0.5), {4, 0.375}, {16, 0.196}}) {
    EXPECT_NEAR(drift(simulated_vote("vote:tie=plus", m, 0.5)), expected,
                5 * kStandardError + 5e-4);
  }
}

TEST(Vote, BetaIsSignum) {
  // v = 0.25 after the first step; then 0.1875 + 0.25 g changes sign at g = -0.75.
  TestExchange exchange([] { return make_compressor("vote:beta=0.75"); }, 1);
  EXPECT_EQ(flat(exchange.mean({vector_of({1, 1})})), (std::vector<float>{1, 1}));
  EXPECT_EQ(flat(exchange.mean({vector_of({-0.7F, -0.8F})})), (std::vector<float>{1, -1}));
}

// Two functions f_n = <a_n, x>^2 whose sum has a valley that sign descent cannot enter: the
// counter-example of Karimireddy et al., arXiv 1901.09847, in two dimensions.
class Valley {
 public:
  static constexpr double kEps = 0.1;
  std::array<float, 2> x{1, 1};

  std::vector<float> gradient(int n) const {
    const auto a = direction(n);
    const double slope = 2 * inner(a);
    return {static_cast<float>(slope * a[0]), static_cast<float>(slope * a[1])};
  }
  double value() const {
    return (std::pow(inner(direction(0)), 2) + std::pow(inner(direction(1)), 2)) / 2;
  }
  void move(const std::vector<float>& step, double lr) {
    for (int i = 0; i < 2; ++i) x[i] -= static_cast<float>(lr * step[i]);
  }

 private:
  static std::array<double, 2> direction(int n) {
    return n == 0 ? std::array{1 + kEps, -1 + kEps} : std::array{-1 + kEps, 1 + kEps};
  }
  double inner(const std::array<double, 2>& a) const { return a[0] * x[0] + a[1] * x[1]; }
};

double run_valley(const std::string& spec, double lr, int steps, Valley& valley) {
  TestExchange exchange([&] { return make_compressor(spec); }, 1);
  Philox random(23, {});
  for (int step = 0; step < steps; ++step) {
    const int n = static_cast<int>(random.below(2));
    valley.move(flat(exchange.mean({vector_of(valley.gradient(n))})), lr);
  }
  return valley.value();
}

constexpr double kStuck = 4 * Valley::kEps * Valley::kEps;

TEST(Valley, SampledSignsStayStuck) {
  Valley valley;
  EXPECT_GE(run_valley("vote", 0.01, 5000, valley), kStuck * (1 - 1e-3));
  EXPECT_NEAR(valley.x[0] + valley.x[1], 2, 1e-3);
}

TEST(Valley, TwoVotersDoNotMoveAtAll) {
  Valley valley;
  for (int step = 0; step < 100; ++step) {
    valley.move(vote("vote:tie=zero", {valley.gradient(0), valley.gradient(1)}), 0.01);
  }
  EXPECT_EQ(valley.x, (std::array<float, 2>{1, 1}));
  EXPECT_NEAR(valley.value(), kStuck, 1e-6);
}

TEST(Valley, ErrorFeedbackFindsTheMinimum) {
  Valley coarse, fine;
  EXPECT_LT(run_valley("sign+ef", 0.05, 2000, coarse), 1.5e-4);
  EXPECT_LT(run_valley("sign+ef", 0.01, 20000, fine), 5e-8);
}

}  // namespace
}  // namespace terse
