// Tests of update rules that PyTorch does not have, against plain loops in double and against their
// documented properties.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "rule_references.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse {
namespace {

using Values = std::vector<float>;

Values normal(std::size_t n, std::uint32_t step) {
  Philox draws(1, {.purpose = Purpose::test, .step = step});
  Values values(n);
  for (auto& value : values) value = draws.normal();
  return values;
}

TEST(RuleReferences, EachIsFollowedForFiftySteps) {
  const RuleSetup setup{.tensors = {3, 1, 20, 16}, .seed = 7};
  for (const auto& reference : rule_references()) {
    const auto rule = make_update_rule(reference.spec);
    rule->prepare(setup);
    Values x = normal(40, 999);
    x[3] = 0;  // tensor whose norm is zero
    NaiveState naive{.x = {x.begin(), x.end()},
                     .m = std::vector<double>(40),
                     .v = std::vector<double>(40),
                     .tensors = {3, 1, 20, 16},
                     .seed = 7};
    for (; naive.step < 50; ++naive.step) {
      Values gradient = normal(40, static_cast<std::uint32_t>(naive.step));
      for (std::size_t i = 20; i < 40; ++i) gradient[i] += 2;  // mean 2, standard deviation 1
      if (naive.step < 5) gradient[5] = 0;  // no gradient in the first five steps
      rule->apply(x, gradient, static_cast<float>(reference.lr));
      reference.step(naive, std::vector<double>(gradient.begin(), gradient.end()), reference.lr);
      for (std::size_t i = 0; i < x.size(); ++i) {
        ASSERT_NEAR(x[i], naive.x[i], 5e-6 * std::max(1.0, std::abs(naive.x[i])))
            << reference.spec << ", step " << naive.step << ", parameter " << i;
      }
    }
  }
}

TEST(SignRules, ZeroGradientsMoveNothing) {
  for (const char* spec : {"signsgd", "signum", "signum:warmup", "ssd", "ssd_bh", "nsgd", "msvag",
                           "lars", "yogi", "signsgd:decay=inside"}) {
    const auto rule = make_update_rule(spec);
    Values x{1, -2, 0};
    for (int step = 0; step < 3; ++step) rule->apply(x, Values{0, -0.0F, 0}, 0.5F);
    EXPECT_EQ(x, (Values{1, -2, 0})) << spec;
  }
}

TEST(SignRules, AdamThatRemembersNothingIsSignDescent) {
  const auto adam = make_update_rule("adam:beta1=0,beta2=0,eps=0");
  const auto signs = make_update_rule("signsgd");
  Values x{1, -2, 0, 3}, y = x;
  for (const Values& g : {Values{3, -1e-8F, 2, 1}, Values{-7, 1, 1e8F, -0.5F}}) {
    adam->apply(x, g, 0.125F);
    signs->apply(y, g, 0.125F);
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_FLOAT_EQ(x[i], y[i]);
  }
}

TEST(SignRules, ASignOfZeroIsZeroBesideOthers) {
  Values x{1, 1, 1};
  make_update_rule("signsgd")->apply(x, Values{-3, 0, 1e-30F}, 0.25F);
  EXPECT_EQ(x, (Values{1.25F, 1, 0.75F}));
}

// The first step in which x falls, or -1. The first gradient, 1e30, keeps v positive, so x falls in
// the first step that uses the momentum. During the warm-up, the gradients of -1 make x rise.
int first_step_by_momentum(const std::string& beta) {
  const auto rule = make_update_rule("signum:warmup,beta=" + beta);
  Values x{0};
  rule->apply(x, Values{1e30F}, 1);
  for (int step = 2; step < 2000; ++step) {
    const float before = x[0];
    rule->apply(x, Values{-1}, 1);
    if (x[0] < before) return step;
  }
  return -1;
}

TEST(Signum, WarmsUpForTheStepsOfThePaper) {
  EXPECT_EQ(first_step_by_momentum("0.5"), 1 + 1);
  EXPECT_EQ(first_step_by_momentum("0.9"), 54 + 1);
  EXPECT_EQ(first_step_by_momentum("0.99"), 894 + 1);
}

// 20 000 steps on a constant gradient, each coordinate's mean step against its expectation.
void expect_mean_step(const char* spec, const Values& gradient, const std::vector<double>& mean) {
  const auto rule = make_update_rule(spec);
  rule->prepare({.tensors = {}, .seed = 3});
  constexpr int kDraws = 20'000;
  std::vector<double> sum(gradient.size());
  for (int draw = 0; draw < kDraws; ++draw) {
    Values x(gradient.size());
    rule->apply(x, gradient, 1);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(std::abs(x[i]), 1) << "a sign";
      sum[i] -= x[i];
    }
  }
  for (std::size_t i = 0; i < mean.size(); ++i) {
    const double error = std::sqrt((1 - mean[i] * mean[i]) / kDraws);
    EXPECT_NEAR(sum[i] / kDraws, mean[i], 5 * error) << spec << ", coordinate " << i;
  }
}

TEST(Ssd, MeanStepIsTheNormalisedMomentum) {
  const Values gradient{3, -4, 0, 12, 0.5F, -1};
  Values x(gradient.size());
  make_update_rule("nsgd")->apply(x, gradient, 1);
  std::vector<double> mean;
  for (const float value : x) mean.push_back(-value);
  EXPECT_NEAR(mean[3], 12 / std::sqrt(9 + 16 + 144 + 0.25 + 1), 1e-6);
  expect_mean_step("ssd", gradient, mean);
}

TEST(Ssd, OneCoordinateHasItsSignSurely) {
  expect_mean_step("ssd", {-1e-20F}, {-1});
  expect_mean_step("ssd", {std::numeric_limits<float>::denorm_min()}, {1});
  expect_mean_step("ssd", {-3e38F}, {-1});
}

// A gradient that alternates between a and b has a mean and a variance that are known.
TEST(SsdBh, MeanSignIsWhatTheVarianceLeavesOfIt) {
  const double beta = 0.99, mean = 0.02;
  const auto rule = make_update_rule("ssd_bh:beta=0.99");
  rule->prepare({.tensors = {}, .seed = 3});
  constexpr std::size_t kCoordinates = 20'000;
  Values x(kCoordinates), before;
  for (int step = 0; step < 2000; ++step) {
    before = x;
    const float g = static_cast<float>(mean) + (step % 2 == 0 ? -1.0F : 1.0F);
    rule->apply(x, Values(kCoordinates, g), 1);
  }
  double sum = 0;
  for (std::size_t i = 0; i < kCoordinates; ++i) sum += before[i] - x[i];
  // m' = mean + the alternating part's last half weight, (1 - beta) / (1 + beta).
  const double r = (1 - beta) / (1 + beta), m = mean + r;
  const double v = mean * mean + 1 + 2 * mean * r, s = (v - m * m) / (1 - r);
  const double expected = std::erf(m / std::sqrt(2 * r * s));
  EXPECT_GT(expected, 0.2);
  EXPECT_LT(expected, 0.6);
  EXPECT_NEAR(sum / kCoordinates, expected,
              5 * std::sqrt((1 - expected * expected) / kCoordinates));
}

TEST(Ssd, DrawsByTheSeedAndTheStep) {
  const auto first_steps = [](std::uint64_t seed) {
    const auto rule = make_update_rule("ssd");
    rule->prepare({.tensors = {}, .seed = seed});
    Values all, x(200);
    for (int step = 0; step < 2; ++step) {
      rule->apply(x, Values(200, 1), 1);
      all.insert(all.end(), x.begin(), x.end());
    }
    return all;
  };
  EXPECT_EQ(first_steps(1), first_steps(1));
  EXPECT_NE(first_steps(1), first_steps(2));
  const auto both = first_steps(1);
  EXPECT_NE(Values(both.begin(), both.begin() + 200), Values(both.begin() + 200, both.end()));
}

TEST(Nsgd, StepsHaveTheLengthOfTheRate) {
  const auto rule = make_update_rule("nsgd");
  Values x(100);
  for (std::uint32_t step = 0; step < 5; ++step) {
    const Values before = x;
    rule->apply(x, normal(100, step), 0.25F);
    double squares = 0;
    for (std::size_t i = 0; i < x.size(); ++i) squares += std::pow(double{x[i]} - before[i], 2);
    EXPECT_NEAR(std::sqrt(squares), 0.25, 1e-6);
  }
  Values tiny{0};
  make_update_rule("nsgd")->apply(tiny, Values{std::numeric_limits<float>::denorm_min()}, 0.25F);
  EXPECT_EQ(tiny[0], -0.25F);
}

TEST(Msvag, TakesAGradientThatDoesNotVaryWhole) {
  const auto rule = make_update_rule("msvag:beta=0.5");
  Values x{0, 0};
  for (int step = 1; step <= 10; ++step) {
    rule->apply(x, Values{1, 1e-25F}, 0.25F);  // the second square underflows in float
    EXPECT_NEAR(x[0], -0.25 * step, 1e-5);
    EXPECT_NEAR(x[1] / 1e-25, -0.25 * step, 1e-5);
  }
}

TEST(Yogi, SecondMomentForgetsAtThePaceOfWhatComes) {
  const auto last_step = [](const char* spec) {
    const auto rule = make_update_rule(spec);
    Values x{0};
    float before = 0;
    for (int step = 0; step < 300; ++step) {
      before = x[0];
      rule->apply(x, Values{step < 100 ? 10.0F : 0.1F}, 0.01F);
    }
    return before - x[0];
  };
  const float yogi = last_step("yogi:beta2=0.9"), adam = last_step("adam:beta2=0.9,eps=0.001");
  EXPECT_NEAR(adam, 0.01, 1e-3) << "Adam has forgotten the large gradients";
  EXPECT_LT(yogi, adam / 10) << "Yogi remembers";
}

TEST(Lars, ScalesEachTensorByItsOwnLength) {
  const auto rule = make_update_rule("lars:trust=0.01,momentum=0");
  rule->prepare({.tensors = {2, 2}, .seed = 0});
  Values x{3, 4, 0.3F, 0.4F};
  rule->apply(x, Values{0, 1000, 1e-6F, 0}, 1);
  EXPECT_FLOAT_EQ(x[1], 4 - 0.01F * 5) << "a hundredth of its length, whatever the gradient's";
  EXPECT_FLOAT_EQ(x[2], 0.3F - 0.01F * 0.5F);
}

TEST(Lars, TensorsMustBeThoseOfTheModel) {
  const auto rule = make_update_rule("lars+clip:norm=1");  // clip passes the sizes to lars
  rule->prepare({.tensors = {2, 2}, .seed = 0});
  Values x(5);
  EXPECT_THROW(rule->apply(x, Values(5), 1), Error);
}

}  // namespace
}  // namespace terse
