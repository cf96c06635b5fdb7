// The vectorised exponential functions at every SIMD level.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/core/vector_math_test.cpp"
#include <hwy/foreach_target.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "tersegrad/core/kernels/vector_math-inl.hpp"
#include "tersegrad/core/simd/dispatch.hpp"
#include "tests/core/each_level.hpp"

#ifndef TERSE_TESTS_VECTOR_MATH_ONCE
#define TERSE_TESTS_VECTOR_MATH_ONCE
namespace terse::kernels {
struct Values {
  float exp, sigmoid, tanh;
};
}  // namespace terse::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
Values values_at_level(float x) {
  const FloatVector all = hn::Set(kLanes, x);
  return {hn::GetLane(exp(all)), hn::GetLane(sigmoid(all)), hn::GetLane(tanh(all))};
}
}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(values_at_level);

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Values at(float x) {
  return TERSE_DISPATCH(values_at_level)(x);
}

TEST(VectorMath, KeepsItsErrorBounds) {
  at_each_level([] {
    double exp_error = 0, sigmoid_error = 0, tanh_error = 0;
    for (int i = -870'000; i <= 870'000; ++i) {
      const float x = 1e-4F * static_cast<float>(i);
      const Values values = at(x);
      const double exact = std::exp(static_cast<double>(x));
      exp_error = std::max(exp_error, std::abs(static_cast<double>(values.exp) / exact - 1));
      sigmoid_error = std::max(sigmoid_error,
                               std::abs(static_cast<double>(values.sigmoid) - 1 / (1 + 1 / exact)));
      tanh_error = std::max(tanh_error, std::abs(static_cast<double>(values.tanh) -
                                                 std::tanh(static_cast<double>(x))));
    }
    EXPECT_LE(exp_error, 2e-7);
    EXPECT_LE(sigmoid_error, 1.2e-7);
    EXPECT_LE(tanh_error, 2e-7);
  });
}

TEST(VectorMath, EndsOfTheRange) {
  at_each_level([] {
    EXPECT_EQ(at(0).exp, 1);
    EXPECT_EQ(at(-kInfinity).exp, 0);
    EXPECT_EQ(at(-1000).exp, 0);
    EXPECT_NEAR(at(1000).exp, std::exp(88.0F), 1e33F);
    EXPECT_NEAR(at(kInfinity).exp, std::exp(88.0F), 1e33F);
    EXPECT_EQ(at(kInfinity).sigmoid, 1);
    EXPECT_NEAR(at(-kInfinity).sigmoid, 0, 1e-37);
    EXPECT_EQ(at(kInfinity).tanh, 1);
    EXPECT_EQ(at(-kInfinity).tanh, -1);
  });
}

TEST(VectorMath, NanStaysNan) {
  at_each_level([] {
    for (const float nan :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN()}) {
      EXPECT_TRUE(std::isnan(at(nan).exp));
      EXPECT_TRUE(std::isnan(at(nan).sigmoid));
      EXPECT_TRUE(std::isnan(at(nan).tanh));
    }
  });
}

}  // namespace
}  // namespace terse::kernels
#endif
