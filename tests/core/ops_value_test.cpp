// Operators against values computed by hand, for errors that a gradient check would not detect.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"

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

// Batch normalisation composed of elementary operators, as a reference for the fused operator.
Tensor plain_batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  const std::int64_t n = x.dim(0), c = x.dim(1), pixels = x.dim(2) * x.dim(3);
  const auto channel_mean = [&](const Tensor& t) {
    return reshape(mean(mean(reshape(t, {n, c, pixels}), 2), 0), {c, 1, 1});
  };
  const Tensor centred = x - channel_mean(x);
  const Tensor variance = channel_mean(square(centred));
  return centred / sqrt(add_scalar(variance, static_cast<real>(eps))) * reshape(gamma, {c, 1, 1}) +
         reshape(beta, {c, 1, 1});
}

void expect_near(const Tensor& a, const Tensor& b, float tolerance) {
  ASSERT_EQ(a.shape(), b.shape());
  for (std::size_t i = 0; i < a.data().size(); ++i) {
    EXPECT_NEAR(a.data()[i], b.data()[i], tolerance) << i;
  }
}

TEST(BatchNorm, FusedEqualsOneOperatorAfterTheOther) {
  for (const Shape& shape : {Shape{4, 3, 5, 7}, Shape{2, 17, 8, 8}, Shape{9, 2, 1, 1}}) {
    std::vector<Tensor> leaves{add_scalar(random_tensor(shape, 1), 3), random_tensor({shape[1]}, 2),
                               random_tensor({shape[1]}, 3), random_tensor(shape, 4)};
    for (auto& leaf : leaves) leaf = leaf.detach().set_requires_grad();
    const auto plain = relu(plain_batch_norm(leaves[0], leaves[1], leaves[2], 1e-5) + leaves[3]);
    const Tensor weights = random_tensor(shape, 5);
    sum(plain * weights).backward();
    std::vector<Tensor> expected;
    for (auto& leaf : leaves) {
      expected.push_back(leaf.grad().clone());
      leaf.zero_grad();
    }
    const auto fused = batch_norm2d(leaves[0], leaves[1], leaves[2],
                                    {.running_mean = Tensor::zeros({shape[1]}),
                                     .running_variance = Tensor::zeros({shape[1]}),
                                     .relu = true,
                                     .residual = leaves[3]});
    expect_near(fused, plain, 1e-5F);
    sum(fused * weights).backward();
    for (std::size_t i = 0; i < leaves.size(); ++i)
      expect_near(leaves[i].grad(), expected[i], 2e-5F);
  }
}

TEST(BatchNorm, RunningStatisticsMoveByMomentumAndEvaluationUsesThem) {
  Tensor mean = Tensor::full({1}, 10), variance = Tensor::full({1}, 20);
  const Tensor one = Tensor::full({1}, 1), x = Tensor::from({4, 1, 1, 1}, {1, 2, 3, 6});
  BatchNormOptions options{.running_mean = mean, .running_variance = variance, .momentum = 0.25};
  batch_norm2d(x, one, one, options);
  EXPECT_FLOAT_EQ(mean.item(), 10 + 0.25F * (3 - 10));
  EXPECT_FLOAT_EQ(variance.item(), 20 + 0.25F * (14.0F / 3 - 20));  // unbiased: divided by N - 1
  options.training = false;
  const Tensor y = batch_norm2d(x, one, one, options);
  EXPECT_FLOAT_EQ(mean.item(), 8.25F);
  EXPECT_FLOAT_EQ(y.data()[3], (6 - 8.25F) / std::sqrt(variance.item() + 1e-5F) + 1);
}

// The mean is a thousand standard deviations from zero. A sum of squares without centring would
// lose all digits.
TEST(BatchNorm, AFarMeanCostsNoDigits) {
  Tensor x = random_tensor({16, 2, 9, 9}, 1);
  const Tensor one = Tensor::full({2}, 1), zero = Tensor::zeros({2});
  const BatchNormOptions options{.running_mean = zero.clone(), .running_variance = zero.clone()};
  const Tensor near = batch_norm2d(x, one, zero, options);
  const Tensor far = batch_norm2d(add_scalar(x, 1024), one, zero, options);
  expect_near(far, near, 5e-4F);  // x itself is rounded to 6e-5
}

// A constant input gives the bias at any magnitude, in batch_norm2d and in layer_norm.
TEST(Normalisation, OfAConstantIsTheBias) {
  for (const float value : {0.0F, 1.0F, -3.7F, 1e6F, 1.23456e8F}) {
    const Tensor x = Tensor::full({3, 2, 5, 7}, value);
    const Tensor gamma = Tensor::full({2}, 2.5F), beta = Tensor::from({2}, {0.25F, -4});
    const Tensor y = batch_norm2d(
        x, gamma, beta,
        {.running_mean = Tensor::zeros({2}), .running_variance = Tensor::full({2}, 1)});
    for (std::int64_t i = 0; i < y.numel(); ++i) {
      EXPECT_EQ(y.data()[static_cast<std::size_t>(i)], i / 35 % 2 == 0 ? 0.25F : -4) << value;
    }
    const Tensor rows = layer_norm(Tensor::full({3, 2}, value), gamma, beta);
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(rows.data()[i], i % 2 == 0 ? 0.25F : -4) << value;
    }
  }
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

TEST(NotANumber, IsTheMaximum) {
  for (int place = 0; place < 3; ++place) {
    Tensor x = Tensor::from({1, 3}, {1, 5, 3});
    x.data_mut()[static_cast<std::size_t>(place)] = kNan;
    EXPECT_TRUE(std::isnan(max(x, 1).item())) << place;
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
