// SGD against PyTorch's trajectories and closed forms; schedules against their formulas.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "optim/optimizer.hpp"
#include "optim/schedule.hpp"

namespace terse {
namespace {

// Two parameters after five steps at rate 0.1 on the gradient x itself, i.e. f(x) = |x|^2 / 2.
std::vector<float> trajectory(const char* spec) {
  const auto rule = make_update_rule(spec);
  std::vector<float> x{1.0F, -2.0F};
  for (int step = 0; step < 5; ++step) {
    const std::vector<float> gradient = x;
    rule->apply(x, gradient, 0.1F);
  }
  return x;
}

// The recursion of torch.optim.SGD, in double.
double expected(double x, double momentum, double dampening, bool nesterov, double decay) {
  double m = 0;
  for (int step = 0; step < 5; ++step) {
    const double g = x + decay * x;
    m = step == 0 ? g : momentum * m + (1 - dampening) * g;
    x -= 0.1 * (momentum == 0 ? g : nesterov ? g + momentum * m : m);
  }
  return x;
}

TEST(Sgd, FollowsPyTorch) {
  struct Case {
    const char* spec;
    double momentum, dampening;
    bool nesterov;
    double decay;
  };
  const std::array<Case, 6> cases = {{{"sgd", 0, 0, false, 0},
                                      {"sgd:weight_decay=0.5", 0, 0, false, 0.5},
                                      {"sgd:momentum=0.9", 0.9, 0, false, 0},
                                      {"sgd:momentum=0.9,dampening=0.3", 0.9, 0.3, false, 0},
                                      {"sgd:momentum=0.9,nesterov", 0.9, 0, true, 0},
                                      {"sgd:momentum=0.5,weight_decay=0.1", 0.5, 0, false, 0.1}}};
  for (const auto& c : cases) {
    const auto x = trajectory(c.spec);
    EXPECT_NEAR(x[0], expected(1, c.momentum, c.dampening, c.nesterov, c.decay), 1e-6) << c.spec;
    EXPECT_NEAR(x[1], expected(-2, c.momentum, c.dampening, c.nesterov, c.decay), 1e-6) << c.spec;
  }
}

// torch 1.13: p = tensor([1., -2.]), five steps of SGD(lr=0.1, momentum=0.9, nesterov=True) on
// p.pow(2).sum() / 2.
TEST(Sgd, FiveNesterovStepsOfPyTorch) {
  const auto x = trajectory("sgd:momentum=0.9,nesterov");
  EXPECT_NEAR(x[0], -0.1045817, 1e-6);
  EXPECT_NEAR(x[1], 0.2091633, 1e-6);
}

TEST(Sgd, GradientsAreOnlyRead) {
  const auto rule = make_update_rule("sgd:momentum=0.9,weight_decay=0.1");
  std::vector<float> x{1, 2};
  const std::vector<float> gradient{3, 4};
  rule->apply(x, gradient, 0.1F);
  EXPECT_EQ(gradient, (std::vector<float>{3, 4}));
}

TEST(Sgd, RefusesNesterovWithoutMomentum) {
  EXPECT_THROW(make_update_rule("sgd:nesterov"), UsageError);
  EXPECT_THROW(make_update_rule("sgd:momentum=0.9,dampening=0.1,nesterov"), UsageError);
  EXPECT_THROW(make_update_rule("sgd:momentum=2"), UsageError);
  EXPECT_THROW(make_update_rule("adam"), UsageError);
}

TEST(Sgd, SpecRoundTrips) {
  for (const auto& entry : update_rule_registry()) {
    const auto rule = make_update_rule(entry.example);
    EXPECT_EQ(make_update_rule(rule->spec())->spec(), rule->spec());
  }
}

double factor(const char* spec, std::int64_t step) {
  return make_schedule(spec)({.step = step, .total_steps = 100, .steps_per_epoch = 10});
}

TEST(Schedule, FollowsItsFormula) {
  EXPECT_EQ(factor("constant", 57), 1);
  EXPECT_EQ(factor("linear", 0), 1);
  EXPECT_DOUBLE_EQ(factor("linear", 75), 0.25);
  EXPECT_DOUBLE_EQ(factor("linear:to=0.5", 50), 0.75);
  EXPECT_EQ(factor("cosine", 0), 1);
  EXPECT_NEAR(factor("cosine", 50), 0.5, 1e-12);
  EXPECT_NEAR(factor("cosine:to=0.2", 100), 0.2, 1e-12);
  EXPECT_EQ(factor("step:every=3,gamma=0.5", 29), 1);
  EXPECT_EQ(factor("step:every=3,gamma=0.5", 30), 0.5);
  EXPECT_EQ(factor("step:every=3,gamma=0.5", 60), 0.25);
}

TEST(Schedule, WarmUpRisesToTheSchedule) {
  EXPECT_DOUBLE_EQ(factor("constant:warmup=2", 0), 0.05);  // the first of 20 steps
  EXPECT_DOUBLE_EQ(factor("constant:warmup=2", 9), 0.5);
  EXPECT_DOUBLE_EQ(factor("constant:warmup=2", 19), 1);
  EXPECT_DOUBLE_EQ(factor("constant:warmup=2", 50), 1);
  EXPECT_DOUBLE_EQ(factor("constant:warmup=2,from=0.5", 9), 0.75);
  EXPECT_DOUBLE_EQ(factor("linear:warmup=1", 4), 0.5 * 0.96);
}

TEST(Schedule, UnknownNamesListTheKnownOnes) {
  EXPECT_THROW(make_schedule("cosin"), UsageError);
  EXPECT_THROW(make_schedule("linear:at=3"), UsageError);
}

}  // namespace
}  // namespace terse
