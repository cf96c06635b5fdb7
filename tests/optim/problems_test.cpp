// Tests of the objective functions (gradients, formulas, oracles) and of methods that use the full
// gradient or no gradient.
#include <gtest/gtest.h>

#include "problem_runs.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::problems {
namespace {

// Logistic regression on random rows, labelled by the sign of a linear function.
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
  // A sample's standard deviation is below 0.9; the mean is over batches of three.
  for (std::size_t j = 0; j < 5; ++j)
    EXPECT_NEAR(mean[j], exact[j], 5 * 0.9 / std::sqrt(3.0 * kDraws));
  oracle(1, 9, x, g);
  oracle(1, 9, x, again);
  EXPECT_EQ(g, again);
  oracle(2, 9, x, again);
  EXPECT_NE(g, again);
}

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
