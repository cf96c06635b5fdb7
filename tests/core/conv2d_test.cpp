// The direct and Winograd convolution kernels against the defining sums, on many shapes.
#include "tersegrad/core/kernels/conv/conv2d.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"

namespace terse {
namespace {

using kernels::ConvShape;

std::vector<ConvShape> shapes() {
  std::vector<ConvShape> list = {
      {3, 1, 28, 28, 6, 5, 5, 1, 2},   // LeNet's first layer
      {3, 6, 14, 14, 16, 5, 5, 1, 0},  // LeNet's second layer
      {2, 16, 9, 9, 16, 3, 3, 1, 1},   {2, 17, 8, 8, 33, 3, 3, 1, 1},
      {2, 8, 9, 7, 24, 3, 3, 2, 1},    {1, 5, 11, 13, 7, 1, 1, 2, 0},
      {2, 3, 32, 32, 64, 3, 3, 1, 1},  {1, 1, 1, 1, 1, 1, 1, 1, 0},
      {1, 2, 3, 3, 2, 3, 3, 1, 5},     {2, 4, 10, 10, 9, 2, 4, 3, 1},
      {0, 3, 5, 5, 4, 3, 3, 1, 0},     {20, 2, 6, 6, 3, 3, 3, 1, 1},
      {2, 3, 20, 21, 5, 7, 7, 1, 3},   {3, 12, 9, 8, 20, 3, 3, 2, 1},
      {2, 5, 9, 10, 6, 3, 2, 3, 2},    {2, 96, 8, 8, 80, 3, 3, 2, 1},
      {33, 64, 4, 4, 24, 1, 1, 2, 0},  {1, 3, 2, 2, 4, 2, 2, 2, 4},
      {2, 160, 4, 4, 128, 3, 3, 2, 1},
  };
  return list;
}

std::vector<ConvShape> grouped_shapes() {
  return {{2, 6, 7, 9, 4, 3, 3, 1, 1, 2},
          {3, 36, 8, 8, 54, 3, 3, 2, 1, 3},
          {2, 8, 5, 5, 8, 1, 1, 1, 0, 4},
          {0, 4, 5, 5, 4, 3, 3, 1, 1, 2}};
}

std::vector<ConvShape> depthwise_shapes() {
  return {{2, 5, 9, 11, 5, 3, 3, 1, 1, 5},     {2, 4, 20, 18, 12, 3, 3, 1, 1, 4},
          {3, 3, 10, 9, 3, 5, 3, 2, 2, 3},     {1, 7, 1, 1, 7, 1, 1, 1, 0, 7},
          {2, 16, 32, 32, 16, 3, 3, 1, 1, 16}, {0, 4, 5, 5, 4, 3, 3, 1, 1, 4}};
}

// 3x3 convolutions with stride 1 and padding 1: those of ResNet-20 and ResNet-18, then shapes with
// partial tiles and panels.
std::vector<ConvShape> winograd_shapes() {
  std::vector<ConvShape> list;
  const auto add = [&](std::int64_t n, std::int64_t c, std::int64_t k, std::int64_t h,
                       std::int64_t w) {
    list.push_back({n, c, h, w, k, 3, 3, 1, 1});
  };
  add(3, 16, 16, 32, 32);
  add(3, 32, 32, 16, 16);
  add(3, 64, 64, 8, 8);
  add(1, 64, 64, 32, 32);
  add(1, 128, 128, 16, 16);
  add(2, 256, 256, 8, 8);
  add(3, 512, 512, 4, 4);
  add(2, 16, 16, 1, 1);
  add(5, 24, 17, 5, 7);
  add(1, 16, 33, 28, 28);
  add(7, 40, 16, 14, 14);
  add(9, 16, 48, 7, 7);
  add(1, 272, 260, 6, 3);
  return list;
}

std::vector<float> random_values(std::int64_t n, std::uint64_t seed) {
  const Tensor t = random_tensor({n}, seed);
  return {t.data().begin(), t.data().end()};
}

// The largest error allowed, relative to the largest value.
constexpr float kDirect = 1e-5F, kWinograd = 3e-5F;

void expect_close(const std::vector<float>& fast, const std::vector<float>& exact, float bound) {
  float largest = 0, worst = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i]));
    worst = std::max(worst, std::abs(fast[i] - exact[i]));
  }
  EXPECT_TRUE(std::ranges::all_of(fast, [](float value) { return std::isfinite(value); }));
  EXPECT_LE(worst, bound * largest);
  EXPECT_TRUE(exact.empty() || largest > 0);
}

// The expected results: sums in double.
struct Exact {
  explicit Exact(const ConvShape& shape)
      : a(shape),
        x(random_values(a.n * a.c * a.h * a.w, 1)),
        w(random_values(a.k * (a.c / a.groups) * a.r * a.s, 2)),
        b(random_values(a.k, 3)),
        dy(random_values(a.n * a.k * a.p() * a.q(), 4)) {}
  ConvShape a;
  std::vector<float> x, w, b, dy;
};

class Conv2dDirect : public testing::TestWithParam<ConvShape>, protected Exact {
 protected:
  Conv2dDirect() : Exact(GetParam()) {}
};

TEST_P(Conv2dDirect, ForwardEqualsReference) {
  std::vector<float> fast(dy.size(), NAN), exact(dy.size(), NAN);
  kernels::direct::conv2d_forward(a, x, w, b, fast);
  kernels::reference::conv2d_forward(a, x, w, b, exact);
  expect_close(fast, exact, kDirect);
}

TEST_P(Conv2dDirect, DataGradientEqualsReference) {
  std::vector<float> fast(x.size(), NAN), exact(x.size(), NAN);
  kernels::direct::conv2d_data_gradient(a, dy, w, fast);
  kernels::reference::conv2d_data_gradient(a, dy, w, exact);
  expect_close(fast, exact, kDirect);
}

TEST_P(Conv2dDirect, WeightGradientEqualsReference) {
  std::vector<float> fast(w.size(), NAN), exact(w.size(), NAN);
  kernels::direct::conv2d_weight_gradient(a, x, dy, fast);
  kernels::reference::conv2d_weight_gradient(a, x, dy, exact);
  if (a.n == 0) {
    EXPECT_EQ(fast, exact);
  } else {
    expect_close(fast, exact, kDirect);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Conv2dDirect, testing::ValuesIn(shapes()));
INSTANTIATE_TEST_SUITE_P(WinogradsShapes, Conv2dDirect, testing::ValuesIn(winograd_shapes()));
INSTANTIATE_TEST_SUITE_P(Grouped, Conv2dDirect, testing::ValuesIn(grouped_shapes()));
INSTANTIATE_TEST_SUITE_P(Depthwise, Conv2dDirect, testing::ValuesIn(depthwise_shapes()));

class Conv2dDepthwise : public testing::TestWithParam<ConvShape>, protected Exact {
 protected:
  Conv2dDepthwise() : Exact(GetParam()) {}
};

TEST_P(Conv2dDepthwise, ForwardEqualsReference) {
  std::vector<float> fast(dy.size(), NAN), exact(dy.size(), NAN);
  kernels::depthwise::conv2d_forward(a, x, w, b, fast);
  kernels::reference::conv2d_forward(a, x, w, b, exact);
  expect_close(fast, exact, kDirect);
}

TEST_P(Conv2dDepthwise, GradientsEqualReference) {
  std::vector<float> dx(x.size(), NAN), exact_dx(x.size(), NAN);
  kernels::depthwise::conv2d_data_gradient(a, dy, w, dx);
  kernels::reference::conv2d_data_gradient(a, dy, w, exact_dx);
  expect_close(dx, exact_dx, kDirect);
  std::vector<float> dw(w.size(), NAN), exact_dw(w.size(), NAN);
  kernels::depthwise::conv2d_weight_gradient(a, x, dy, dw);
  kernels::reference::conv2d_weight_gradient(a, x, dy, exact_dw);
  if (a.n > 0) {
    expect_close(dw, exact_dw, kDirect);
  } else {
    EXPECT_EQ(dw, exact_dw);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, Conv2dDepthwise, testing::ValuesIn(depthwise_shapes()));

class Conv2dWinograd : public testing::TestWithParam<ConvShape>, protected Exact {
 protected:
  Conv2dWinograd() : Exact(GetParam()) {}
};

TEST_P(Conv2dWinograd, ForwardEqualsReference) {
  std::vector<float> fast(dy.size(), NAN), exact(dy.size(), NAN);
  kernels::winograd::conv2d_forward(a, x, w, b, fast);
  kernels::reference::conv2d_forward(a, x, w, b, exact);
  expect_close(fast, exact, kWinograd);
}

TEST_P(Conv2dWinograd, DataGradientEqualsReference) {
  std::vector<float> fast(x.size(), NAN), exact(x.size(), NAN);
  kernels::winograd::conv2d_data_gradient(a, dy, w, fast);
  kernels::reference::conv2d_data_gradient(a, dy, w, exact);
  expect_close(fast, exact, kWinograd);
}

TEST_P(Conv2dWinograd, WeightGradientEqualsReference) {
  std::vector<float> fast(w.size(), NAN), exact(w.size(), NAN);
  kernels::winograd::conv2d_weight_gradient(a, x, dy, fast);
  kernels::reference::conv2d_weight_gradient(a, x, dy, exact);
  expect_close(fast, exact, kWinograd);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Conv2dWinograd, testing::ValuesIn(winograd_shapes()));

// y, dx and dw of the dispatching kernels with this number of threads.
std::vector<std::vector<float>> results(const Exact& e, int threads) {
  const int before = thread_count();
  set_thread_count(threads);
  std::vector<float> y(e.dy.size()), dx(e.x.size()), dw(e.w.size());
  kernels::conv2d_forward(e.a, e.x, e.w, e.b, y);
  kernels::conv2d_data_gradient(e.a, e.dy, e.w, dx);
  kernels::conv2d_weight_gradient(e.a, e.x, e.dy, dw);
  set_thread_count(before);
  return {y, dx, dw};
}

class Conv2d : public testing::TestWithParam<ConvShape> {};

TEST_P(Conv2d, ThreadsChangeNoBit) {
  const Exact e(GetParam());
  EXPECT_EQ(results(e, 1), results(e, 3));
}

INSTANTIATE_TEST_SUITE_P(Shapes, Conv2d, testing::ValuesIn(shapes()));
INSTANTIATE_TEST_SUITE_P(WinogradsShapes, Conv2d, testing::ValuesIn(winograd_shapes()));
INSTANTIATE_TEST_SUITE_P(Grouped, Conv2d, testing::ValuesIn(grouped_shapes()));
INSTANTIATE_TEST_SUITE_P(Depthwise, Conv2d, testing::ValuesIn(depthwise_shapes()));

TEST(ExactConvolution, IsTheDirectSum) {
  const Exact e({2, 16, 9, 9, 16, 3, 3, 1, 1});
  std::vector<float> direct(e.dy.size());
  kernels::direct::conv2d_forward(e.a, e.x, e.w, e.b, direct);
  EXPECT_NE(results(e, 2)[0], direct);
  kernels::set_exact_convolution(true);
  EXPECT_TRUE(kernels::exact_convolution());
  EXPECT_EQ(results(e, 2)[0], direct);
  kernels::set_exact_convolution(false);
}

}  // namespace
}  // namespace terse
