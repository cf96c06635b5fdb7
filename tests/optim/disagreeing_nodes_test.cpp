// Tests with nodes that have different objective functions: where sign descent stalls, where SSDM
// settles away from the minimum, and which methods reach the minimum.
#include <gtest/gtest.h>

#include "problem_runs.hpp"
#include "tersegrad/optim/problems/sign_laws.hpp"

namespace terse::problems {
namespace {

// With a step size that is a power of two, the additions are exact.
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

// x + e follows plain gradient descent, whatever the signs are.
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
  Vector difference(3);
  for (std::size_t j = 0; j < 3; ++j) difference[j] = x[j] - y[j];
  EXPECT_LT(norm(difference), 0.1);
  EXPECT_GT(norm(difference), 0);
}

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

// With one node and no momentum, every step is a vector of signs with the mean g / |g|.
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

// Three quadratics in ten dimensions: the mean of |grad f| over the last quarter of K steps, with
// the theorem's beta and gamma. `descend --problem quadratics` prints these values for several
// methods.
double gradient_left(double steps, bool norms) {
  const auto problem = make_disagreeing_quadratics(10, 3, 1);
  const auto step = ssdm(partitioned_data(*problem, {.noise = Vector(10, 0.5), .seed = 3}),
                         {.nodes = 3, .beta = 1 - 1 / std::sqrt(steps), .norms = norms, .seed = 4},
                         constant(std::pow(steps, -0.75)));
  double sum = 0;
  Vector g(10);
  run(step, Vector(10), static_cast<std::uint64_t>(steps), [&](std::uint64_t k, const Vector& x) {
    if (static_cast<double>(k) < 0.75 * steps) return;
    problem->gradient(x, g);
    sum += norm(g) / (0.25 * steps);
  });
  return sum;
}

TEST(Ssdm, StallsOnQuadraticsThatDisagreeAndWithNormsDoesNot) {
  const double early = gradient_left(1e4, false), late = gradient_left(1e5, false);
  EXPECT_GT(late, 0.15) << "ten times the steps do not help";
  EXPECT_GT(late, 0.7 * early);
  EXPECT_LT(gradient_left(1e5, true), 0.6 * gradient_left(1e4, true));
  EXPECT_LT(gradient_left(1e5, true), late / 2);
}

}  // namespace
}  // namespace terse::problems
