// Operators against values worked out by hand, where a gradient check would not notice.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/ops.hpp"

namespace terse {
namespace {

std::vector<float> values(const Tensor& t) {
  return {t.data().begin(), t.data().end()};
}
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Broadcast, FollowsTheLastDimension) {
  const Tensor a = Tensor::from({2, 3}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(values(a + Tensor::from({3}, {10, 20, 30})),
            (std::vector<float>{11, 22, 33, 14, 25, 36}));
  EXPECT_EQ(values(a * Tensor::from({2, 1}, {1, -1})), (std::vector<float>{1, 2, 3, -4, -5, -6}));
}

TEST(Matmul, TransposedOperands) {
  const Tensor a = Tensor::from({2, 2}, {1, 2, 3, 4}), b = Tensor::from({2, 2}, {5, 6, 7, 8});
  EXPECT_EQ(values(matmul(a, b)), (std::vector<float>{19, 22, 43, 50}));
  EXPECT_EQ(values(matmul(a, b, Transpose::yes)), (std::vector<float>{26, 30, 38, 44}));
  EXPECT_EQ(values(matmul(a, b, Transpose::no, Transpose::yes)),
            (std::vector<float>{17, 23, 39, 53}));
}

TEST(Pooling, MaxSeesMinusInfinityAndAverageSeesZerosOverTheEdge) {
  const Tensor x = Tensor::from({1, 1, 2, 2}, {-1, -2, -3, -4});
  const PoolOptions padded{.kernel = 2, .stride = 2, .padding = 1};
  EXPECT_EQ(values(max_pool2d(x, padded)), (std::vector<float>{-1, -2, -3, -4}));
  EXPECT_EQ(values(avg_pool2d(x, padded)), (std::vector<float>{-0.25, -0.5, -0.75, -1}));
}

TEST(Pooling, OddEdgesAreDropped) {
  const Tensor x = Tensor::from({1, 1, 3, 3}, {1, 2, 9, 4, 3, 9, 9, 9, 9});
  EXPECT_EQ(values(max_pool2d(x)), (std::vector<float>{4}));
}

TEST(MaxPool, EqualsGoToTheFirst) {
  for (const PoolOptions options :
       {PoolOptions{.kernel = 2}, PoolOptions{.kernel = 2, .stride = 3}}) {
    Tensor x = Tensor::full({1, 1, 2, 2}, 5);
    x.set_requires_grad();
    sum(max_pool2d(x, options)).backward();
    EXPECT_EQ(values(x.grad()), (std::vector<float>{1, 0, 0, 0}));
  }
}

TEST(NotANumber, IsNotHiddenByReluOrPooling) {
  EXPECT_TRUE(std::isnan(relu(Tensor::scalar(kNan)).item()));
  for (int place = 0; place < 4; ++place) {
    Tensor x = Tensor::from({1, 1, 2, 2}, {1, 2, 3, 4});
    x.data_mut()[static_cast<std::size_t>(place)] = kNan;
    EXPECT_TRUE(std::isnan(max_pool2d(x).item())) << place;
    EXPECT_TRUE(std::isnan(max_pool2d(x, {.kernel = 2, .stride = 1}).item())) << place;
  }
}

TEST(Softmax, StandsLargeNumbers) {
  const Tensor x = Tensor::from({1, 3}, {1000, 1000, -1000});
  EXPECT_EQ(values(softmax(x)), (std::vector<float>{0.5, 0.5, 0}));
  EXPECT_FLOAT_EQ(log_softmax(x).data()[0], -std::log(2.0F));
  EXPECT_FLOAT_EQ(cross_entropy(x, std::vector<std::int32_t>{1}).item(), std::log(2.0F));
}

TEST(CrossEntropy, MeanIsTheSumOverN) {
  const Tensor x = Tensor::from({2, 2}, {0, 1, 2, 0});
  const std::vector<std::int32_t> labels{0, 0};
  EXPECT_FLOAT_EQ(cross_entropy(x, labels, Reduction::sum).item(),
                  2 * cross_entropy(x, labels).item());
}

TEST(Slice, IsAView) {
  Tensor x = Tensor::from({3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor rows = slice(x, 1, 3);
  x.data_mut()[2] = 30;
  EXPECT_EQ(values(rows), (std::vector<float>{30, 4, 5, 6}));
  EXPECT_TRUE(reshape(x, {6}).same_storage(x));
}

TEST(Max, FirstOfEquals) {
  Tensor x = Tensor::from({1, 3}, {7, 7, 1});
  x.set_requires_grad();
  sum(max(x, 1)).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{1, 0, 0}));
}

}  // namespace
}  // namespace terse
