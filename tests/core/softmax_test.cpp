// Softmax and the losses at sizes and values that test vector tails, blocks and overflow.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tersegrad/core/allocator.hpp"
#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/exponential.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"
#include "tests/core/each_level.hpp"

namespace terse {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<float> values(const Tensor& t) {
  return {t.data().begin(), t.data().end()};
}

TEST(Exponentials, EqualTheReferenceAtEveryLength) {
  at_each_level([] {
    for (const std::int64_t d : {1, 7, 8, 9, 511, 512, 513, 1000, 10'000}) {
      const std::vector<float> x = values(scale(random_tensor({d}, 1), 10));
      std::vector<float> fast(x.size(), NAN), exact(x.size(), NAN);
      const double sum = kernels::exponentials(d, x.data(), 10, fast.data());
      const double reference = kernels::reference::exponentials(d, x.data(), 10, exact.data());
      EXPECT_NEAR(sum / reference, 1, 1e-6) << d;
      EXPECT_EQ(kernels::exponentials(d, x.data(), 10, nullptr), sum) << d;
      for (std::size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(fast[j] / exact[j], 1, 4e-7) << d;
    }
  });
}

TEST(Softmax, DoesNotOverflowAndKeepsNaN) {
  const Tensor y = softmax(Tensor::from({2, 3}, {1000, 1000, -kInfinity, -1000, -1000, -1000}));
  EXPECT_EQ(values(y), (std::vector<float>{0.5F, 0.5F, 0, 1.0F / 3, 1.0F / 3, 1.0F / 3}));
  for (const std::int64_t place : {0, 5, 39}) {
    Tensor x = Tensor::zeros({1, 40});
    x.data_mut()[static_cast<std::size_t>(place)] = NAN;
    EXPECT_TRUE(std::isnan(softmax(x).data()[1])) << place;
    EXPECT_TRUE(std::isnan(cross_entropy(x, std::vector<std::int32_t>{1}).item())) << place;
  }
}

// ---- linear_cross_entropy against its components ------------------------------------------------

struct Problem {
  std::int64_t n, d, v;
  bool bias;
};

class LinearCrossEntropy : public testing::TestWithParam<Problem> {
 protected:
  struct Outcome {
    float loss;
    std::vector<float> gradients;  // of x, w and b, concatenated
  };

  template <class F>
  Outcome run(F loss_of, float dloss) const {
    const auto [n, d, v, bias] = GetParam();
    std::vector<Tensor> leaves;
    for (const Shape& shape : {Shape{n, d}, Shape{v, d}, Shape{v}})
      leaves.push_back(random_tensor(shape, leaves.size() + 1));
    if (!bias) leaves.pop_back();
    for (auto& leaf : leaves) leaf.set_requires_grad();
    std::vector<std::int32_t> labels;
    for (std::int64_t i = 0; i < n; ++i)
      labels.push_back(static_cast<std::int32_t>((i * 7919) % v));
    const Tensor loss = loss_of(leaves[0], leaves[1], bias ? leaves[2] : Tensor(), labels);
    Outcome outcome{loss.item(), {}};
    if (!loss.requires_grad()) return outcome;
    loss.backward(Tensor::scalar(dloss));
    for (const auto& leaf : leaves) {
      const auto part = leaf.grad().data();
      outcome.gradients.insert(outcome.gradients.end(), part.begin(), part.end());
    }
    return outcome;
  }

  static Tensor fused(const Tensor& x, const Tensor& w, const Tensor& b,
                      const std::vector<std::int32_t>& labels) {
    return linear_cross_entropy(x, w, b, labels);
  }
};

TEST_P(LinearCrossEntropy, EqualsItsParts) {
  for (const float dloss : {1.0F, -2.5F}) {
    const Outcome got = run(fused, dloss);
    const Outcome expected =
        run([](const Tensor& x, const Tensor& w, const Tensor& b,
               const auto& labels) { return cross_entropy(linear(x, w, b), labels); },
            dloss);
    EXPECT_NEAR(got.loss, expected.loss, 1e-5F * std::abs(expected.loss));
    ASSERT_EQ(got.gradients.size(), expected.gradients.size());
    float largest = 0, worst = 0;
    for (std::size_t i = 0; i < got.gradients.size(); ++i) {
      largest = std::max(largest, std::abs(expected.gradients[i]));
      worst = std::max(worst, std::abs(got.gradients[i] - expected.gradients[i]));
    }
    EXPECT_LE(worst, 1e-5F * largest);
    EXPECT_GT(largest, 0);
  }
}

TEST_P(LinearCrossEntropy, IsTheSameLossWithoutGradients) {
  const Outcome with = run(fused, 1);
  const NoGrad no_grad;
  EXPECT_NEAR(run(fused, 1).loss, with.loss, 1e-6F * with.loss);
}

TEST_P(LinearCrossEntropy, ThreadsChangeNoBit) {
  const int before = thread_count();
  set_thread_count(1);
  const Outcome one = run(fused, 1);
  set_thread_count(2);
  const Outcome two = run(fused, 1);
  set_thread_count(before);
  EXPECT_EQ(one.loss, two.loss);
  EXPECT_EQ(one.gradients, two.gradients);
}

INSTANTIATE_TEST_SUITE_P(Sizes, LinearCrossEntropy,
                         testing::Values(Problem{5, 3, 7, true}, Problem{1, 1, 1'000, false},
                                         Problem{130, 20, 9'001, true},
                                         Problem{64, 40, 515, false}));

TEST(LinearCrossEntropy, HoldsOneArrayOfLogits) {
  constexpr std::int64_t kN = 512, kD = 8, kV = 10'000;
  constexpr std::size_t kLogits = kN * kV * sizeof(float);
  Tensor w = random_tensor({kV, kD}, 1);
  const Tensor x = random_tensor({kN, kD}, 2);
  const std::vector<std::int32_t> labels(kN, 3);
  const auto use = memory_use();  // fills the memory up to the former peak
  const Tensor filler =
      Tensor::empty({static_cast<std::int64_t>((use.peak_bytes - use.live_bytes) / sizeof(float))});
  {
    const NoGrad no_grad;
    linear_cross_entropy(x, w, {}, labels);
    EXPECT_LT(memory_use().peak_bytes, use.peak_bytes + kLogits / 2);
  }
  w.set_requires_grad();
  linear_cross_entropy(x, w, {}, labels).backward();
  EXPECT_GE(memory_use().peak_bytes, use.peak_bytes + kLogits);
  EXPECT_LT(memory_use().peak_bytes, use.peak_bytes + kLogits + kLogits / 2);
}

TEST(LinearCrossEntropy, IsZeroOfNoRows) {
  const Tensor x = Tensor::zeros({0, 3}), w = Tensor::zeros({2, 3});
  EXPECT_EQ(linear_cross_entropy(x, w, {}, {}, Reduction::sum).item(), 0);
}

TEST(LinearCrossEntropy, NamesWhatDoesNotFit) {
  const auto message = [](const Shape& x, const Shape& w, const Tensor& b,
                          const std::vector<std::int32_t>& labels) -> std::string {
    try {
      linear_cross_entropy(Tensor::zeros(x), Tensor::zeros(w), b, labels);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_EQ(message({2, 3}, {5, 4}, {}, {0, 0}),
            "linear_cross_entropy: expected x (N, D), w (V, D) and N labels; got (2, 3), (5, 4) "
            "and 2 labels");
  EXPECT_EQ(message({2, 3}, {5, 3}, {}, {0}),
            "linear_cross_entropy: expected x (N, D), w (V, D) and N labels; got (2, 3), (5, 3) "
            "and 1 labels");
  EXPECT_EQ(message({1, 3}, {5, 3}, Tensor::zeros({3}), {0}),
            "linear_cross_entropy: the bias must be (5) for w (5, 3); got (3)");
  EXPECT_EQ(message({1, 3}, {5, 3}, {}, {5}),
            "linear_cross_entropy: a label must be in [0, 5); label 0 is 5");
  EXPECT_EQ(message({0, 3}, {5, 3}, {}, {}),
            "linear_cross_entropy: the mean over no rows is undefined; use Reduction::sum");
}

}  // namespace
}  // namespace terse
