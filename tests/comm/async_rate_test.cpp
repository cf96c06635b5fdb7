// Convergence rate of asynchronous SGD for a smooth, non-convex f and noisy gradients.
//
//   mean over t < T of |grad f(x_t)|² = O(1/sqrt T)            at a rate of c / sqrt T
//
// Staleness and, with error feedback, compression contribute terms of lower order: Candela et al.,
// arXiv 1910.09466, and Stich and Karimireddy, arXiv 1909.05350, both from memory.
//
// The comments state measured values as a pair: mean, standard deviation over the seeds 1 to 12.
// The test runs one of these seeds.
#include <gtest/gtest.h>

#include <cmath>

#include "async_toys.hpp"

namespace terse {
namespace {

constexpr std::int64_t kDimension = 20;
constexpr std::uint64_t kSeed = 5;

// One component of the gradient of f(x) = sum over j of x_j² / (1 + x_j²), for which L = 2. f is
// concave in a coordinate above 1/sqrt 3, and so at the start, x = (1, …, 1).
float well_slope(float x) {
  const float root = 1 + x * x;
  return 2 * x / (root * root);
}

// The gradient with normal noise of deviation 2 in each coordinate.
class WellLearner final : public Learner {
 public:
  explicit WellLearner(int worker) : worker_(static_cast<std::uint32_t>(worker)) {}
  Result gradient(std::span<const float> x) override {
    Philox noise(kSeed, {.purpose = Purpose::problem, .worker = worker_, .step = step_++});
    for (std::size_t j = 0; j < x.size(); ++j) gradient_[j] = well_slope(x[j]) + 2 * noise.normal();
    return {.gradient = gradient_};
  }

 private:
  std::uint32_t worker_, step_ = 0;
  std::vector<float> gradient_ = std::vector<float>(kDimension);
};

// The mean of |grad f|² over the models after each of T updates.
double mean_squared_gradient(const std::string& compressor, double updates, double rate,
                             int workers = 8) {
  const Tensor model = toy::Bowl::ones({kDimension});
  ParameterBuffer parameters{std::vector<ParameterBuffer::Named>{{"x", model}}};
  const auto update = make_update_rule("sgd");
  double sum = 0;
  const AsyncRun run{
      .parameters = parameters,
      .update = *update,
      .make_learner = [](int worker) { return std::make_unique<WellLearner>(worker); },
      .rate = [&](std::uint64_t) { return static_cast<float>(rate); },
      .on_push =
          [&](const AsyncPush&) {
            for (const float x : parameters.values()) {
              sum += std::pow(static_cast<double>(well_slope(x)), 2);
            }
          }};
  run_async({.workers = workers,
             .updates = static_cast<std::uint64_t>(updates),
             .seed = kSeed,
             .compressor = compressor},
            run);
  return sum / updates;
}

double at_root_rate(const std::string& compressor, double updates, int workers = 8) {
  return mean_squared_gradient(compressor, updates, 0.2 / std::sqrt(updates), workers);
}

// The slope on a log-log scale between two values of T that are `decades` apart.
double slope(double before, double after, double decades) {
  return std::log10(after / before) / decades;
}

// Slopes: dense -0.487, 0.006; in the later decade top-k -0.497, 0.010, random-k -0.526, 0.012.
// The term that error feedback adds has slopes -0.99, 0.04 and -1.03, 0.04: it is of lower order.
TEST(AsyncRate, GradientsFallAsTheRootOfTheUpdates) {
  const double dense[] = {at_root_rate("none", 1e3), at_root_rate("none", 1e5)};
  EXPECT_NEAR(slope(dense[0], dense[1], 2), -0.5, 0.05);
  for (const std::string spec : {"topk:ratio=0.1+ef", "randomk:ratio=0.1+ef"}) {
    const double sparse[] = {at_root_rate(spec, 1e3), at_root_rate(spec, 1e4),
                             at_root_rate(spec, 1e5)};
    EXPECT_NEAR(slope(sparse[1], sparse[2], 1), -0.5, 0.07) << spec;
    EXPECT_NEAR(slope(sparse[0] - dense[0], sparse[2] - dense[1], 2), -1, 0.2) << spec;
  }
}

// The ratio of eight workers to one: 0.998, 0.021.
TEST(AsyncRate, StalenessIsInNoLeadingTerm) {
  EXPECT_NEAR(at_root_rate("none", 1e5) / at_root_rate("none", 1e5, 1), 1, 0.1);
}

// The ratio of top-k to dense: without error feedback 2.21, 0.04; with it 1.005, 0.0004.
TEST(AsyncRate, CompressionIsInTheLeadingTermWithoutMemoryAlone) {
  const double dense = at_root_rate("none", 1e5);
  EXPECT_NEAR(at_root_rate("topk:ratio=0.1", 1e5) / dense, 2.2, 0.2);
  EXPECT_NEAR(at_root_rate("topk:ratio=0.1+ef", 1e5) / dense, 1.005, 0.005);
}

// With a rate that does not depend on T, the noise keeps the gradient from falling. Slope: -0.090,
// 0.010.
TEST(AsyncRate, AConstantRateHasNone) {
  const double rate = 0.2 / std::sqrt(1e3);
  const double early = mean_squared_gradient("none", 1e4, rate);
  EXPECT_NEAR(slope(early, mean_squared_gradient("none", 1e5, rate), 1), -0.09, 0.05);
}

}  // namespace
}  // namespace terse
