// Learning rate schedules against their formulas.
#include "tersegrad/optim/schedule.hpp"

#include <gtest/gtest.h>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

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
