// The direct kernels against the sums that define them, on many shapes.
#include "core/kernels/conv2d.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.hpp"
#include "core/testing/check_gradient.hpp"

namespace terse {
namespace {

using kernels::ConvShape;

std::vector<ConvShape> shapes() {
  std::vector<ConvShape> list = {
      {3, 1, 28, 28, 6, 5, 5, 1, 2},   // LeNet's first
      {3, 6, 14, 14, 16, 5, 5, 1, 0},  // LeNet's second
      {2, 16, 9, 9, 16, 3, 3, 1, 1},  {2, 17, 8, 8, 33, 3, 3, 1, 1},  {2, 8, 9, 7, 24, 3, 3, 2, 1},
      {1, 5, 11, 13, 7, 1, 1, 2, 0},  {2, 3, 32, 32, 64, 3, 3, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 0},
      {1, 2, 3, 3, 2, 3, 3, 1, 5},    {2, 4, 10, 10, 9, 2, 4, 3, 1},  {0, 3, 5, 5, 4, 3, 3, 1, 0},
      {20, 2, 6, 6, 3, 3, 3, 1, 1},
  };
  return list;
}

std::vector<float> random_values(std::int64_t n, std::uint64_t seed) {
  const Tensor t = random_tensor({n}, seed);
  return {t.data().begin(), t.data().end()};
}

void expect_close(const std::vector<float>& fast, const std::vector<float>& exact) {
  float largest = 0, worst = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i]));
    worst = std::max(worst, std::abs(fast[i] - exact[i]));
  }
  EXPECT_LE(worst, 1e-5F * largest);
  EXPECT_TRUE(exact.empty() || largest > 0);
}

class Conv2dDirect : public testing::TestWithParam<ConvShape> {
 protected:
  const ConvShape a = GetParam();
  const std::vector<float> x = random_values(a.n * a.c * a.h * a.w, 1);
  const std::vector<float> w = random_values(a.k * a.c * a.r * a.s, 2);
  const std::vector<float> b = random_values(a.k, 3);
  const std::vector<float> dy = random_values(a.n * a.k * a.p() * a.q(), 4);
};

TEST_P(Conv2dDirect, ForwardEqualsReference) {
  std::vector<float> fast(dy.size(), NAN), exact(dy.size(), NAN);
  kernels::conv2d_forward(a, x, w, b, fast);
  kernels::reference::conv2d_forward(a, x, w, b, exact);
  expect_close(fast, exact);
}

TEST_P(Conv2dDirect, DataGradientEqualsReference) {
  std::vector<float> fast(x.size(), NAN), exact(x.size(), NAN);
  kernels::conv2d_data_gradient(a, dy, w, fast);
  kernels::reference::conv2d_data_gradient(a, dy, w, exact);
  expect_close(fast, exact);
}

TEST_P(Conv2dDirect, WeightGradientEqualsReference) {
  std::vector<float> fast(w.size(), NAN), exact(w.size(), NAN);
  kernels::conv2d_weight_gradient(a, x, dy, fast);
  kernels::reference::conv2d_weight_gradient(a, x, dy, exact);
  if (a.n == 0) {
    EXPECT_EQ(fast, exact);
  } else {
    expect_close(fast, exact);
  }
}

TEST_P(Conv2dDirect, ThreadsChangeNoBit) {
  std::vector<float> one(w.size()), two(w.size());
  const int before = thread_count();
  set_thread_count(1);
  kernels::conv2d_weight_gradient(a, x, dy, one);
  set_thread_count(2);
  kernels::conv2d_weight_gradient(a, x, dy, two);
  set_thread_count(before);
  EXPECT_EQ(one, two);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Conv2dDirect, testing::ValuesIn(shapes()));

}  // namespace
}  // namespace terse
