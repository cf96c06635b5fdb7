// Sign descent and vote descent on known functions, against the theorems and examples of the
// papers.
#include <gtest/gtest.h>

#include <limits>

#include "problem_runs.hpp"

namespace terse::problems {
namespace {

TEST(SignDescent, OptionTwoNeverGoesUp) {
  const auto problem = make_rosenbrock(10);
  const auto oracle = shared_data(*problem, {.noise = Vector(10, 1), .seed = 1});
  double before = std::numeric_limits<double>::infinity();
  int kept = 0, moved = 0;
  const Vector start(10, -1);
  run(only_downhill(*problem, sign_descent(oracle, constant(0.01))), start, 2000,
      [&](std::uint64_t, const Vector& x) {
        const double f = problem->value(x);
        EXPECT_LE(f, before);
        (f < before ? moved : kept)++;
        before = f;
      });
  EXPECT_GT(moved, 50);
  EXPECT_GT(kept, 50) << "it never had to take a step back?";
  EXPECT_LT(before, problem->value(start) / 20);
}

TEST(SignDescent, OptionTwoStaysAtATieAndAtNan) {
  const auto problem = make_quadratic({1}, {{0}});
  const auto to = [&](double where) {
    return run(only_downhill(*problem, [=](std::uint64_t, Out x) { x[0] = where; }), {1}, 1)[0];
  };
  EXPECT_EQ(to(-1), 1);
  EXPECT_EQ(to(std::numeric_limits<double>::quiet_NaN()), 1);
  EXPECT_EQ(to(0.5), 0.5);
}

// The mean of ||g||_rho over the second half of K steps. On a quadratic it settles at gamma d L /
// 2, which is also the bound of the theorem.
TEST(SignDescent, PlateauIsProportionalToTheStepSize) {
  constexpr std::size_t kD = 10;
  const auto problem = make_quadratic(Vector(kD, 1), {Vector(kD, 0)});
  const auto oracle = shared_data(*problem, {.batch = 0, .noise = Vector(kD, 1), .seed = 8});
  for (const double gamma : {0.02, 0.08}) {
    double sum = 0;
    run(sign_descent(oracle, constant(gamma)), Vector(kD, 0.1), 40'000,
        [&](std::uint64_t k, const Vector& x) {
          for (const double g : x) sum += k < 20'000 ? 0 : (2 * phi(std::abs(g)) - 1) * std::abs(g);
        });
    EXPECT_NEAR(sum / 20'000, gamma * kD / 2, 0.05 * gamma * kD / 2) << gamma;
  }
}

TEST(SignDescent, MeanRhoNormFallsWithTheRootOfTheSteps) {
  constexpr std::size_t kD = 10;
  const auto problem = make_quadratic(Vector(kD, 1), {Vector(kD, 0)});
  const auto oracle = shared_data(*problem, {.batch = 0, .noise = Vector(kD, 1), .seed = 8});
  const Vector start(kD, 0.3);
  std::vector<double> means, worst;
  double sum = 0;
  run(sign_descent(oracle, decreasing(0.1)), start, 100'001, [&](std::uint64_t k, const Vector& x) {
    const auto steps = static_cast<double>(k);
    if (k == 1'000 || k == 100'000) {
      means.push_back(sum / steps);
      worst.push_back((problem->value(start) / 0.1 + 0.1 * kD * (1 + std::log(steps) / 2)) /
                      std::sqrt(steps));
    }
    for (const double g : x) sum += (2 * phi(std::abs(g)) - 1) * std::abs(g);
  });
  const double slope = std::log10(means[1] / means[0]) / 2;
  EXPECT_NEAR(slope, -0.5, 0.1);
  EXPECT_LT(means[0], worst[0]);
  EXPECT_LT(means[1], worst[1]);
}

// Noise in one of a hundred coordinates: 10 000 steps; returns the mean of f over the last 2000.
double sparse_noise_floor(const std::function<Step(Oracle)>& method) {
  constexpr std::size_t kD = 100;
  const auto problem = make_quadratic(Vector(kD, 1), {Vector(kD, 0)});
  Vector noise(kD);
  noise[0] = 100;
  double sum = 0;
  constexpr int kRepeats = 5;
  for (std::uint32_t repeat = 0; repeat < kRepeats; ++repeat) {
    const auto oracle = shared_data(*problem, {.batch = 0, .noise = noise, .seed = repeat});
    run(method(oracle), normal(kD, repeat), 10'000, [&](std::uint64_t k, const Vector& x) {
      if (k >= 8'000) sum += problem->value(x) / 2'000 / kRepeats;
    });
  }
  return sum;
}

TEST(SignDescent, SparseNoiseHurtsItLessThanPlainDescent) {
  const double plain =
      sparse_noise_floor([](Oracle o) { return gradient_descent(o, constant(0.001)); });
  const double signs = sparse_noise_floor([](Oracle o) { return sign_descent(o, constant(0.01)); });
  // The expected values are 2.5 and 0.3. The bounds are wide because successive iterates are
  // correlated.
  EXPECT_GT(plain, 1.2);
  EXPECT_LT(plain, 7);
  EXPECT_GT(signs, 0.05);
  EXPECT_LT(signs, 1);
}

// 27 voters, some of which send the opposite sign. Returns f per coordinate after 2000 steps of
// 0.01.
TEST(VoteDescent, LiarsMakeItWorseByDegreesUpToTheHalf) {
  constexpr std::size_t kD = 200;
  const auto problem = make_quadratic(Vector(kD, 1), {Vector(kD, 0)});
  const auto honest = shared_data(*problem, {.batch = 0, .noise = Vector(kD, 1), .seed = 6});
  const auto floor_with = [&](std::uint32_t byzantine) {
    const Oracle oracle = [&, byzantine](std::uint32_t node, std::uint64_t step, In x, Out g) {
      honest(node, step, x, g);
      for (double& value : g) value = node < byzantine ? -value : value;
    };
    return problem->value(run(vote_descent(oracle, 27, constant(0.01)), normal(kD, 1), 2000)) / kD;
  };
  EXPECT_NEAR(floor_with(0), 0.75e-3, 0.2e-3);
  EXPECT_NEAR(floor_with(9), 2.2e-3, 0.6e-3);
  EXPECT_NEAR(floor_with(13), 21e-3, 8e-3);
  EXPECT_GT(floor_with(14), 50) << "more than half: it climbs";
}

// If no step goes uphill, the mean of the rho-norm has a bound without the logarithm.
TEST(SignDescent, OptionTwoKeepsTheBoundOfItsTheoremOnTheMean) {
  constexpr std::size_t kD = 10;
  constexpr double kGamma = 0.1, kSteps = 20'000;
  const auto problem = make_quadratic(Vector(kD, 1), {Vector(kD, 0)});
  const auto oracle = shared_data(*problem, {.batch = 0, .noise = Vector(kD, 1), .seed = 8});
  const Vector start(kD, 0.3);
  const auto mean_of = [&](const Step& step) {
    double sum = 0;
    run(step, start, static_cast<std::uint64_t>(kSteps), [&](std::uint64_t, const Vector& x) {
      for (const double g : x) sum += (2 * phi(std::abs(g)) - 1) * std::abs(g);
    });
    return sum / kSteps;
  };
  const auto plain = sign_descent(oracle, decreasing(kGamma));
  const double two = mean_of(only_downhill(*problem, plain));
  EXPECT_LE(two, (problem->value(start) / kGamma + kGamma * kD) / std::sqrt(kSteps));
  EXPECT_LE(two, mean_of(plain));
}

// ---- the theorems of arXiv 1802.04434 and 1810.05291 --------------------------------------------

// A quadratic with ten different curvatures and a noise level for each coordinate.
struct TheoremProblem {
  Vector curvature, noise;
  std::unique_ptr<Problem> problem;
  double curvatures = 0, deviations = 0, start_value = 0;  // |L|_1, |sigma|_1, f(x_0) - f*
  Vector start = Vector(10, 1);

  TheoremProblem() {
    for (int j = 0; j < 10; ++j) {
      curvature.push_back(0.2 + 0.2 * j);
      noise.push_back(2 - 0.15 * j);
      curvatures += curvature.back();
      deviations += noise.back();
    }
    problem = make_quadratic(curvature, {Vector(10, 0)});
    start_value = problem->value(start);
  }

  // ((1/K) sum |g_k|_1)^2 for a vote in which each gradient is the mean of K samples and some
  // voters are Byzantine.
  double squared_mean_of_norms(int steps, double eta, std::uint32_t voters,
                               std::uint32_t byzantine) const {
    auto of_batch = noise;
    for (double& value : of_batch) value /= std::sqrt(steps);
    const auto honest = shared_data(*problem, {.batch = 0, .noise = of_batch, .seed = 5});
    const Oracle oracle = [&](std::uint32_t node, std::uint64_t step, In x, Out g) {
      honest(node, step, x, g);
      for (double& value : g) value = node < byzantine ? -value : value;
    };
    double sum = 0;
    run(vote_descent(oracle, voters, constant(eta)), start, static_cast<std::uint64_t>(steps),
        [&](std::uint64_t, const Vector& x) {
          for (std::size_t j = 0; j < x.size(); ++j) sum += curvature[j] * std::abs(x[j]);
        });
    return std::pow(sum / steps, 2);
  }
};

// Each worker draws N = K^2 samples in all, so N^(-1/2) = 1 / K.
TEST(VoteDescent, LargeBatchesKeepTheBoundOfTheTheorem) {
  const TheoremProblem p;
  for (const int steps : {100, 1'000, 10'000}) {
    const double eta = 1 / std::sqrt(p.curvatures * steps);
    for (const std::uint32_t voters : {1U, 9U}) {
      const double bound = std::pow(std::sqrt(p.curvatures) * (p.start_value + 0.5) +
                                        2 * p.deviations / std::sqrt(voters),
                                    2) /
                           steps;
      EXPECT_LE(p.squared_mean_of_norms(steps, eta, voters, 0), bound) << steps << " " << voters;
      EXPECT_GT(p.squared_mean_of_norms(steps, 100 * eta, voters, 0), bound) << "at any step size?";
    }
  }
}

TEST(VoteDescent, LiarsKeepTheBoundOfTheTheorem) {
  const TheoremProblem p;
  for (const int steps : {100, 1'000}) {
    const double eta = std::sqrt(p.start_value / (p.curvatures * steps));
    for (const std::uint32_t byzantine : {0U, 2U, 4U}) {
      const double honest = 1 - 2 * byzantine / 9.0;
      const double bound = 4 *
                           std::pow(p.deviations / (honest * std::sqrt(9.0)) +
                                        std::sqrt(p.curvatures * p.start_value),
                                    2) /
                           steps;
      EXPECT_LE(p.squared_mean_of_norms(steps, eta, 9, byzantine), bound)
          << steps << " " << byzantine;
    }
    EXPECT_GT(p.squared_mean_of_norms(steps, eta, 9, 5),
              4 * p.squared_mean_of_norms(steps, eta, 9, 4));
  }
}

// One sample per step. The mixed norm sums |g| over the coordinates where |g| / sigma exceeds the
// critical ratio 2/sqrt 3, and g^2 / sigma over the others.
TEST(SignDescent, SmallBatchesKeepTheBoundOnTheMixedNorm) {
  const TheoremProblem p;
  for (const int steps : {100, 1'000, 10'000}) {
    const double eta = std::sqrt(p.start_value / (p.curvatures * steps));
    const auto oracle = shared_data(*p.problem, {.batch = 0, .noise = p.noise, .seed = 7});
    double sum = 0;
    run(sign_descent(oracle, constant(eta)), p.start, static_cast<std::uint64_t>(steps),
        [&](std::uint64_t, const Vector& x) {
          for (std::size_t j = 0; j < x.size(); ++j) {
            const double g = p.curvature[j] * std::abs(x[j]);
            sum += g > 2 / std::sqrt(3.0) * p.noise[j] ? g : g * g / p.noise[j];
          }
        });
    EXPECT_LE(sum / steps, 3 * std::sqrt(p.curvatures * p.start_value / steps)) << steps;
  }
}

TEST(VoteDescent, MoreVotersEndLower) {
  constexpr std::size_t kD = 200;
  const auto problem = make_quadratic(Vector(kD, 1), {Vector(kD, 0)});
  const auto oracle = shared_data(*problem, {.batch = 0, .noise = Vector(kD, 1), .seed = 6});
  double before = std::numeric_limits<double>::infinity();
  for (const std::uint32_t voters : {1U, 3U, 9U, 27U}) {
    const double f =
        problem->value(run(vote_descent(oracle, voters, constant(0.01)), normal(kD, 1), 800));
    EXPECT_LT(f, 0.9 * before) << voters;
    before = f;
  }
}

// Noise that is rarely large and usually small with the opposite sign: its mean is zero, the mean
// of its sign is not.
TEST(SignDescent, SkewedNoiseDrivesItAwayFromTheMinimum) {
  const auto problem = make_quadratic({1}, {{0}});
  const Oracle oracle = [&](std::uint32_t node, std::uint64_t step, In x, Out g) {
    problem->gradient(x, g);
    Philox draws(
        4, {.purpose = Purpose::test, .worker = node, .step = static_cast<std::uint32_t>(step)});
    g[0] += draws.uniform_double() < 0.1 ? 18 : -2;
  };
  const double signs = run(sign_descent(oracle, constant(0.01)), {0.5}, 5'000)[0];
  const double plain = run(gradient_descent(oracle, constant(0.001)), {0.5}, 20'000)[0];
  EXPECT_NEAR(signs, 2, 0.3) << "where g outweighs what is usual";
  EXPECT_LT(std::abs(plain), 0.6);
}

}  // namespace
}  // namespace terse::problems
