// Problems, methods on them, and what the papers prove or measure of both.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"
#include "optim/problems/methods.hpp"
#include "optim/problems/sign_laws.hpp"

namespace terse::problems {
namespace {

Vector normal(std::size_t n, std::uint32_t step) {
  Philox draws(2, {.purpose = Purpose::test, .step = step});
  Vector values(n);
  for (auto& value : values) value = static_cast<double>(draws.normal());
  return values;
}

double norm(In a) {
  return std::sqrt(std::inner_product(a.begin(), a.end(), a.begin(), 0.0));
}

Vector run(Step step, Vector x, std::uint64_t steps,
           const std::function<void(std::uint64_t, const Vector&)>& watch = {}) {
  for (std::uint64_t k = 0; k < steps; ++k) {
    if (watch) watch(k, x);
    step(k, x);
  }
  return x;
}

// Rows with a direction that the labels follow, for the most part.
std::unique_ptr<Problem> small_logistic() {
  std::vector<Vector> rows;
  Vector labels;
  for (std::uint32_t i = 0; i < 40; ++i) {
    rows.push_back(normal(5, i));
    labels.push_back(rows.back()[0] + 0.5 * rows.back()[1] + 0.3 * rows.back()[4] > 0 ? 1 : -1);
  }
  return make_logistic(std::move(rows), std::move(labels), 0.05);
}

struct Named {
  const char* name;
  std::unique_ptr<Problem> problem;
};
std::vector<Named> every_problem() {
  std::vector<Named> all;
  all.push_back({"quadratic", make_quadratic({1, 2, 0.5}, {{1, 0, -1}})});
  all.push_back({"heterogeneous", make_mixed_quadratic({{1, 2}, {3, 0.5}}, {{1, 0}, {0, -1}})});
  all.push_back({"rosenbrock", make_rosenbrock(10)});
  all.push_back({"counter-example", make_counter_example(0.1)});
  all.push_back({"logistic", small_logistic()});
  return all;
}

TEST(Problems, GradientsAreTheDifferencesOfValues) {
  constexpr double kStep = 1e-6;
  for (const auto& [name, problem] : every_problem()) {
    const std::size_t d = problem->dimension();
    Vector x = normal(d, 7), g(d), whole(d), sum(d);
    for (std::size_t i = 0; i < problem->components(); ++i) {
      problem->component_gradient(i, x, g);
      for (std::size_t j = 0; j < d; ++j) {
        Vector up = x, down = x;
        up[j] += kStep;
        down[j] -= kStep;
        const double slope =
            (problem->component_value(i, up) - problem->component_value(i, down)) / (2 * kStep);
        EXPECT_NEAR(g[j], slope, 1e-6 * (1 + std::abs(slope))) << name << ", component " << i;
        sum[j] += g[j];
      }
    }
    problem->gradient(x, whole);
    const double parts = problem->is_sum() ? 1 : static_cast<double>(problem->components());
    for (std::size_t j = 0; j < d; ++j) EXPECT_NEAR(whole[j], sum[j] / parts, 1e-9) << name;
  }
}

TEST(Problems, ValuesAreTheFormulas) {
  const auto rosenbrock = make_rosenbrock(3);
  EXPECT_EQ(rosenbrock->value(Vector{1, 1, 1}), 0);
  EXPECT_EQ(rosenbrock->value(Vector{2, 1, 0}), 100 * 9 + 1 + 100 * 1 + 0);
  EXPECT_NEAR(make_counter_example(0.1)->value(Vector{1, 1}), 0.04, 1e-15);
  EXPECT_EQ(make_quadratic({2}, {{0}, {4}})->value(Vector{1}), (1.0 + 9.0) / 2);
  const auto logistic = make_logistic({{1}}, {1}, 0);
  EXPECT_NEAR(logistic->value(Vector{0}), std::log(2.0), 1e-15);
  EXPECT_NEAR(logistic->value(Vector{-1000}), 1000, 1e-9) << "without overflow";
}

TEST(Problems, WrongSizesAreErrors) {
  EXPECT_THROW(make_quadratic({1, 2}, {{1}}), Error);
  EXPECT_THROW(make_quadratic({1}, {}), Error);
  EXPECT_THROW(make_rosenbrock(1), Error);
  EXPECT_THROW(make_counter_example(1), Error);
  EXPECT_THROW(make_logistic({{1}, {2}}, {1}, 0), Error);
  const auto problem = make_quadratic({1}, {{1}});
  EXPECT_THROW(shared_data(*problem, {.noise = {1, 2}}), Error);
  Vector x{0};
  EXPECT_THROW(partitioned_data(*problem, {})(1, 0, x, x), Error);
}

TEST(Oracles, MeanIsTheGradientAndDrawsRepeat) {
  const auto problem = small_logistic();
  const auto oracle = shared_data(*problem, {.batch = 3, .noise = Vector(5, 0.5), .seed = 4});
  const Vector x = normal(5, 3);
  Vector g(5), again(5), mean(5), exact(5);
  constexpr int kDraws = 20'000;
  for (std::uint64_t step = 0; step < kDraws; ++step) {
    oracle(0, step, x, g);
    for (std::size_t j = 0; j < 5; ++j) mean[j] += g[j] / kDraws;
  }
  problem->gradient(x, exact);
  // A sample's standard deviation is below 0.9, of three in the mean.
  for (std::size_t j = 0; j < 5; ++j)
    EXPECT_NEAR(mean[j], exact[j], 5 * 0.9 / std::sqrt(3.0 * kDraws));
  oracle(1, 9, x, g);
  oracle(1, 9, x, again);
  EXPECT_EQ(g, again);
  oracle(2, 9, x, again);
  EXPECT_NE(g, again);
}

// ---- laws of signs ------------------------------------------------------------------------------

double phi(double a) {
  return std::erfc(-a / std::sqrt(2.0)) / 2;
}

TEST(SignLaws, BoundsHoldForNormalNoiseInTheirOrder) {
  for (const double snr : {0.1, 0.5, 1.0, 1.1547, 1.2, 2.0, 4.0}) {
    const auto problem = make_quadratic({1}, {{0}});
    const auto oracle = shared_data(*problem, {.batch = 0, .noise = {1 / snr}, .seed = 9});
    constexpr int kDraws = 20'000;
    const double rho = sign_chances(*problem, oracle, 1, Vector{1}, 0, kDraws).correct[0];
    const double exact = phi(snr);
    EXPECT_NEAR(rho, exact, 5 * std::sqrt(exact * (1 - exact) / kDraws) + 1e-4) << snr;
    EXPECT_LE(rho_bound(snr), gauss_bound(snr)) << snr;
    EXPECT_LE(gauss_bound(snr), exact) << snr;
  }
  EXPECT_NEAR(phi(0.1), 0.5398, 5e-5);
  EXPECT_NEAR(rho_bound(0.1), 0.5273, 5e-5);
  EXPECT_NEAR(rho_bound(1), 0.6830, 5e-5);
  EXPECT_NEAR(rho_bound(4), 0.8489, 5e-5);
}

// P(g + U > 0), U uniform with standard deviation 1/S of g, is 1/2 + S / (2 sqrt 3).
TEST(SignLaws, UniformNoiseAttainsGausssBound) {
  constexpr int kDraws = 50'000;
  for (const double snr : {0.1, 0.5, 1.0, 1.15}) {
    Philox draws(5, {.purpose = Purpose::test});
    int right = 0;
    for (int i = 0; i < kDraws; ++i) {
      right += 1 + (2 * draws.uniform_double() - 1) * std::sqrt(3.0) / snr > 0;
    }
    const double bound = gauss_bound(snr);
    EXPECT_NEAR(right / double{kDraws}, bound, 5 * std::sqrt(bound * (1 - bound) / kDraws)) << snr;
  }
}

// Two-point noise: mostly a little to the wrong side, seldom far to the right one.
TEST(SignLaws, BoundsDoNotHoldForSkewedNoise) {
  constexpr double kRight = 0.1;  // g = 1; g + noise is -1 with probability 0.9, else 19
  const double sigma = std::sqrt(0.9 * 4 + 0.1 * 18 * 18);
  EXPECT_LT(kRight, rho_bound(1 / sigma));
}

TEST(SignLaws, VoteSucceedsAsOftenAsTheBeta) {
  EXPECT_NEAR(vote_success(0.7, 1), 0.7, 1e-12);
  EXPECT_NEAR(vote_success(0.7, 3), 0.343 + 3 * 0.49 * 0.3, 1e-12);
  EXPECT_NEAR(vote_success(0.5, 15), 0.5, 1e-12);
  EXPECT_EQ(vote_success(1, 5), 1);
  EXPECT_EQ(vote_success(0, 5), 0);
  const auto problem = make_quadratic({1}, {{0}});
  const auto oracle = shared_data(*problem, {.batch = 0, .noise = {2}, .seed = 3});
  const double rho = phi(0.5);
  constexpr int kDraws = 20'000;
  for (const std::uint32_t nodes : {1U, 2U, 3U, 4U, 7U, 8U, 15U}) {
    const auto vote = sign_chances(*problem, oracle, nodes, Vector{1}, 0, kDraws);
    const double tie = 1 - vote.correct[0] - vote.wrong[0];
    EXPECT_NEAR(vote.correct[0] + tie / 2, vote_success(rho, nodes), 5 * 0.5 / std::sqrt(kDraws))
        << nodes;
    EXPECT_EQ(tie > 1e-9, nodes % 2 == 0) << nodes;
  }
}

TEST(SignLaws, NoiseFallsExponentiallyWithTheNodes) {
  for (std::uint32_t l = 1; l <= 15; ++l) {
    for (double rho = 0.5; rho <= 1; rho += 0.01) {
      const double margin = 2 * vote_success(rho, 2 * l - 1) - 1;
      EXPECT_LE(margin, 1 + 1e-12);
      EXPECT_GE(margin + 1e-12, 1 - std::exp(-std::pow(2 * rho - 1, 2) * l)) << l << ' ' << rho;
    }
  }
}

// ---- signSGD ------------------------------------------------------------------------------------

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

// Mean of ||g||_rho over the second half of K steps: on a quadratic it settles at gamma d L / 2,
// which is also the bound of the theorem.
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

// A large error in one coordinate of a hundred: 10 000 steps, mean of f over the last 2000.
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
  // Their floors are 2.5 and 0.3; mixing is slow.
  EXPECT_GT(plain, 1.2);
  EXPECT_LT(plain, 7);
  EXPECT_GT(signs, 0.05);
  EXPECT_LT(signs, 1);
}

// 27 voters, some of which say the opposite: f per coordinate after 2000 steps of 0.01.
TEST(VoteDescent, LiarsMakeItWorseByDegreesUpToTheHalf) {
  constexpr std::size_t kD = 200;
  const auto problem = make_quadratic(Vector(kD, 1), {Vector(kD, 0)});
  const auto honest = shared_data(*problem, {.batch = 0, .noise = Vector(kD, 1), .seed = 6});
  const auto floor_with = [&](std::uint32_t liars) {
    const Oracle oracle = [&, liars](std::uint32_t node, std::uint64_t step, In x, Out g) {
      honest(node, step, x, g);
      for (double& value : g) value = node < liars ? -value : value;
    };
    return problem->value(run(vote_descent(oracle, 27, constant(0.01)), normal(kD, 1), 2000)) / kD;
  };
  EXPECT_NEAR(floor_with(0), 0.75e-3, 0.2e-3);
  EXPECT_NEAR(floor_with(9), 2.2e-3, 0.6e-3);
  EXPECT_NEAR(floor_with(13), 21e-3, 8e-3);
  EXPECT_GT(floor_with(14), 50) << "more than half: it climbs";
}

// ---- the counter-example ------------------------------------------------------------------------

// A step of a power of two adds without rounding.
TEST(CounterExample, SignsStandStill) {
  const auto problem = make_counter_example(0.1);
  run(sign_descent(shared_data(*problem, {.seed = 1}), constant(1.0 / 128)), {1, 1}, 20'000,
      [&](std::uint64_t, const Vector& x) {
        ASSERT_EQ(x[0] + x[1], 2);
        ASSERT_GE(problem->value(x), 0.04 - 1e-12);
      });
  const Vector x =
      run(vote_descent(partitioned_data(*problem, {}), 2, constant(0.01)), {1, 1}, 100);
  EXPECT_EQ(x, (Vector{1, 1})) << "the two nodes' votes are opposite";
  const auto chances =
      sign_chances(*problem, shared_data(*problem, {}), 1, Vector{1, 1}, 0, 20'000);
  for (const int j : {0, 1}) {
    EXPECT_LE(chances.correct[static_cast<std::size_t>(j)], 0.5 + 5 * 0.5 / std::sqrt(20'000));
  }
}

TEST(CounterExample, SsdmSolvesIt) {
  const auto problem = make_counter_example(0.1);
  const double steps = 1e5;
  const auto value_after = [&](double beta, bool norms, double gamma) {
    const auto step = ssdm(partitioned_data(*problem, {}),
                           {.nodes = 2, .beta = beta, .norms = norms, .seed = 5}, constant(gamma));
    return problem->value(run(step, {1, 1}, 100'000));
  };
  EXPECT_LT(value_after(1 - 1 / std::sqrt(steps), false, std::pow(steps, -0.75)), 2e-5);
  EXPECT_LT(value_after(0.9, true, 0.01), 1e-12) << "with norms its steps shorten by themselves";
}

TEST(CounterExample, ErrorFeedbackSolvesIt) {
  const auto problem = make_counter_example(0.1);
  const auto after = [&](double eta, std::uint64_t steps) {
    return problem->value(
        run(ef_sign_descent(shared_data(*problem, {.seed = 2}), constant(eta)), {1, 1}, steps));
  };
  EXPECT_LT(after(0.05, 2'000), 1e-3);
  EXPECT_LT(after(0.01, 20'000), 1e-6);
}

// x + e moves as plain descent does, whatever the signs say.
TEST(EfSignDescent, WhatItOwesIsTheDistanceToPlainDescent) {
  const auto problem = make_quadratic({1, 3, 0.5}, {{0, 1, -1}});
  Vector y{1, 2, 3}, residual;
  const auto step = ef_sign_descent(
      [&](std::uint32_t, std::uint64_t, In x, Out g) {
        problem->gradient(x, g);
        for (std::size_t j = 0; j < 3; ++j) y[j] -= 0.05 * g[j];
      },
      constant(0.05));
  const Vector x = run(step, y, 200);
  EXPECT_LT(std::abs(problem->value(x) - problem->value(Vector{0, 1, -1})), 0.01);
  Vector owed(3);
  for (std::size_t j = 0; j < 3; ++j) owed[j] = x[j] - y[j];
  EXPECT_LT(norm(owed), 0.1);
  EXPECT_GT(norm(owed), 0);
}

// ---- SSDM where nodes disagree ------------------------------------------------------------------

double settles_at(bool norms) {
  const auto problem = make_quadratic({1}, {{0}, {0}, {3}});
  const auto step = ssdm(partitioned_data(*problem, {.noise = {0.5}, .seed = 3}),
                         {.nodes = 3, .beta = 0.99, .norms = norms, .seed = 4}, constant(0.002));
  double sum = 0;
  run(step, {2}, 40'000, [&](std::uint64_t k, const Vector& x) { sum += k < 20'000 ? 0 : x[0]; });
  return sum / 20'000;
}

TEST(Ssdm, SettlesAtTheMedianOfNodesThatDisagree) {
  EXPECT_NEAR(settles_at(false), 0.01, 0.05);
}

TEST(Ssdm, WithNormsSettlesAtTheMinimum) {
  EXPECT_NEAR(settles_at(true), 1.0, 0.05);
}

TEST(Ssdm, GradientFallsAboutAsTheFourthRootOfTheSteps) {
  const auto problem = make_quadratic(Vector(5, 1), {Vector(5, 0)});
  const auto mean_norm = [&](double steps) {
    const auto step = ssdm(shared_data(*problem, {.batch = 0, .noise = Vector(5, 0.5), .seed = 2}),
                           {.nodes = 3, .beta = 1 - 1 / std::sqrt(steps), .seed = 3},
                           constant(std::pow(steps, -0.75)));
    double sum = 0;
    run(step, Vector(5, 0.3), static_cast<std::uint64_t>(steps),
        [&](std::uint64_t, const Vector& x) { sum += norm(x); });
    return sum / steps;
  };
  const double slope = std::log10(mean_norm(1e5) / mean_norm(1e3)) / 2;
  EXPECT_LT(slope, -0.2);
  EXPECT_GT(slope, -0.6);
}

// With one node and no momentum, every step is one of signs with the mean g / |g|.
TEST(Ssdm, MeanStepIsTheNormalisedGradient) {
  const auto problem = make_quadratic({1, 1}, {{0, 0}});
  const auto step =
      ssdm(shared_data(*problem, {.batch = 0}), {.nodes = 1, .beta = 0, .seed = 6}, constant(1));
  Vector sum(2);
  constexpr int kDraws = 20'000;
  for (std::uint64_t k = 0; k < kDraws; ++k) {
    Vector x{3, -4};
    step(k, x);
    EXPECT_EQ(std::abs(x[0] - 3), 1);
    sum[0] += 3 - x[0];
    sum[1] += -4 - x[1];
  }
  EXPECT_NEAR(sum[0] / kDraws, 0.6, 5 * 0.8 / std::sqrt(kDraws));
  EXPECT_NEAR(sum[1] / kDraws, -0.8, 5 * 0.6 / std::sqrt(kDraws));
  Vector zero{0, 0};
  step(0, zero);
  EXPECT_EQ(zero, (Vector{0, 0}));
}

// ---- without gradients, and with all of them ----------------------------------------------------

TEST(StochasticAverageGradient, ConvergesLinearlyWherePlainStepsDoNot) {
  const auto problem = small_logistic();
  Vector g(5);
  const auto slope_after = [&](Step step) {
    const Vector x = run(std::move(step), Vector(5), 20'000);
    problem->gradient(x, g);
    return norm(g);
  };
  EXPECT_LT(slope_after(stochastic_average_gradient(*problem, 3, constant(0.05))), 1e-10);
  EXPECT_GT(slope_after(gradient_descent(shared_data(*problem, {.seed = 3}), constant(0.05))),
            1e-3);
}

TEST(ZoSignDescent, InOneDimensionItIsTheGradientsSign) {
  const auto problem = make_quadratic({2}, {{1}});
  const auto by_values = zo_sign_descent(*problem, {.directions = 1}, constant(0.125));
  const auto by_gradient = sign_descent(shared_data(*problem, {}), constant(0.125));
  EXPECT_EQ(run(by_values, {-1.03}, 40), run(by_gradient, {-1.03}, 40));
}

TEST(ZoSignDescent, DescendsByValuesAlone) {
  const auto problem = make_quadratic({1, 3, 0.5, 2}, {{1, 0, -1, 2}});
  const Vector start{-2, 2, 2, -2};
  const Vector x =
      run(zo_sign_descent(*problem, {.directions = 8, .seed = 1}, decreasing(0.2)), start, 3000);
  EXPECT_LT(problem->value(x), problem->value(start) / 1000);
}

}  // namespace
}  // namespace terse::problems
