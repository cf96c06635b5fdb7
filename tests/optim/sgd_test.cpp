// Tests of the form of SGD that PyTorch does not have. optimizer_golden_test.cpp tests the others.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tersegrad/optim/optimizer.hpp"

namespace terse {
namespace {

// The length of the last of `steps` steps from 0 with a constant gradient of 1.
double last_step(const char* spec, int steps, float lr) {
  const auto rule = make_update_rule(spec);
  std::vector<float> x{0};
  float before = 0;
  for (int step = 0; step < steps; ++step) {
    before = x[0];
    rule->apply(x, std::vector<float>{1}, lr);
  }
  return before - x[0];
}

TEST(PowerSgdForm, SettlesAtOneAndOneOverOneMinusMomentum) {
  const float lr = 0.001F;
  EXPECT_NEAR(last_step("sgd:momentum=0.9,form=powersgd", 300, lr), lr * (1 + 10), 1e-6);
  EXPECT_NEAR(last_step("sgd:momentum=0.9", 300, lr), lr * 10, 1e-6);
}

TEST(PowerSgdForm, GoesTwiceAsFarWithoutMomentum) {
  EXPECT_FLOAT_EQ(static_cast<float>(last_step("sgd:form=powersgd", 1, 0.25F)), 0.5F);
  EXPECT_FLOAT_EQ(static_cast<float>(last_step("sgd", 1, 0.25F)), 0.25F);
}

// Algorithm 2 of arXiv 1905.13727, in double, with the gradient sin(step) x.
TEST(PowerSgdForm, IsThePapersLoop) {
  constexpr double kLr = 0.1, kMomentum = 0.9, kDecay = 0.05;
  const auto rule = make_update_rule("sgd:momentum=0.9,weight_decay=0.05,form=powersgd");
  std::vector<float> x{1, -2, 0.5F};
  std::vector<double> y{1, -2, 0.5}, m(3);
  for (int step = 0; step < 20; ++step) {
    std::vector<float> gradient;
    for (const float value : x) gradient.push_back(std::sin(static_cast<float>(step)) * value);
    rule->apply(x, gradient, static_cast<float>(kLr));
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double g = gradient[i] + kDecay * y[i];
      m[i] = kMomentum * m[i] + g;
      y[i] -= kLr * (g + m[i]);
      EXPECT_NEAR(x[i], y[i], 1e-5) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace terse
