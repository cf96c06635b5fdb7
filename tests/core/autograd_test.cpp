#include "tersegrad/core/autograd.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "tersegrad/core/allocator.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

Tensor leaf(real value) {
  Tensor x = Tensor::scalar(value);
  x.set_requires_grad();
  return x;
}

TEST(Autograd, ChainRule) {
  const Tensor x = leaf(0.5F);
  tanh(square(x)).backward();
  const float t = std::tanh(0.25F);
  EXPECT_FLOAT_EQ(x.grad().item(), 2 * 0.5F * (1 - t * t));
}

TEST(Autograd, BackwardCallsAddUpUntilZeroGrad) {
  Tensor x = leaf(3);
  square(x).backward();
  square(x).backward();
  EXPECT_FLOAT_EQ(x.grad().item(), 12);
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
  square(x).backward();
  EXPECT_FLOAT_EQ(x.grad().item(), 6);
}

TEST(Autograd, NoGradRecordsNothing) {
  const Tensor x = leaf(3);
  {
    const NoGrad off;
    EXPECT_FALSE(grad_enabled());
    EXPECT_FALSE(square(x).requires_grad());
    { const NoGrad again; }
    EXPECT_FALSE(grad_enabled());
  }
  EXPECT_TRUE(grad_enabled());
  EXPECT_TRUE(square(x).requires_grad());
}

TEST(Autograd, WhatNeedsNoGradientGetsNone) {
  const Tensor x = leaf(3), constant = Tensor::scalar(2);
  (x * constant).backward();
  EXPECT_FLOAT_EQ(x.grad().item(), 2);
  EXPECT_FALSE(constant.grad().defined());
  EXPECT_THROW(constant.backward(), Error);
}

TEST(Autograd, DetachCutsTheGraph) {
  const Tensor x = leaf(3);
  const Tensor y = square(x);
  (y.detach() * x).backward();
  EXPECT_FLOAT_EQ(x.grad().item(), 9);
}

TEST(Autograd, AResultCanBeABranchAndAnOutput) {
  const Tensor x = leaf(2);
  const Tensor y = square(x);
  y.backward();
  scale(y, 10).backward();
  EXPECT_FLOAT_EQ(x.grad().item(), 4 + 40);
}

// The leaves in the order in which their gradients were complete, with the gradient at that time.
using Completed = std::vector<std::pair<std::string, float>>;
Completed completed(const Tensor& root, const std::vector<std::pair<std::string, Tensor>>& leaves) {
  Completed all;
  backward(root, [&](const Tensor& leaf) {
    for (const auto& [name, tensor] : leaves) {
      if (tensor.same_storage(leaf)) all.emplace_back(name, leaf.grad().item());
    }
  });
  return all;
}

TEST(Complete, ALeafIsWhenItsFirstUseHasAddedItsGradient) {
  const Tensor a = leaf(2), b = leaf(3), c = leaf(5);
  // The last layer completes first.
  EXPECT_EQ(completed((a * b) * c, {{"a", a}, {"b", b}, {"c", c}}),
            (Completed{{"c", 6}, {"a", 15}, {"b", 10}}));
}

TEST(Complete, ATiedLeafIsOnceAndAtTheEndOfItsLastUse) {
  const Tensor tied = leaf(2), b = leaf(3);
  Tensor h = tied;
  for (int t = 0; t < 3; ++t)
    h = h * tied + b;  // a recurrent layer: tied^4 + b (tied^2 + tied + 1)
  EXPECT_EQ(completed(h, {{"tied", tied}, {"b", b}}),
            (Completed{{"b", 7}, {"tied", 4 * 8 + 3 * (2 * 2 + 1)}}));
  // A leaf that an operator uses twice, and a root that is a leaf.
  const Tensor x = leaf(3);
  EXPECT_EQ(completed(x * x, {{"x", x}}), (Completed{{"x", 6}}));
  EXPECT_EQ(completed(b, {{"b", b}, {"x", x}}), (Completed{{"b", 8}}));
}

TEST(Complete, ABranchThatIsSharedOrLeftOutCountsOnce) {
  const Tensor x = leaf(2), unused = leaf(1), constant = Tensor::scalar(4);
  const Tensor y = square(x);
  const Tensor other = y * unused;  // does not contribute to the root
  EXPECT_EQ(completed(y * y + scale(y, 10) + y * constant, {{"x", x}, {"unused", unused}}),
            (Completed{{"x", 4 * 8 + 4 * 14}}));
  EXPECT_FALSE(unused.grad().defined());
  EXPECT_EQ(completed(other, {{"x", x}, {"unused", unused}}).size(), 2);
}

TEST(Autograd, OnlyOneElementCanStartWithoutAGradient) {
  Tensor x = Tensor::full({2}, 1);
  x.set_requires_grad();
  EXPECT_THROW(square(x).backward(), Error);
  EXPECT_THROW(square(x).backward(Tensor::full({3}, 1)), Error);
  square(x).backward(Tensor::from({2}, {1, 10}));
  EXPECT_FLOAT_EQ(x.grad().data()[1], 20);
}

// A chain of 200 000 operators: forward, backward, and destruction without backward. Recursion over
// the graph would overflow the stack in each case.
class LongChain : public testing::TestWithParam<int> {
 protected:
  static constexpr int kLength = 200'000;

  Tensor chain(const Tensor& x) const {
    const Tensor one = Tensor::full(x.shape(), 1);
    Tensor y = x;
    for (int i = 0; i < kLength; ++i) {
      switch (GetParam()) {
        case 0:
          y = scale(y, 1);
          break;
        case 1:
          y = y * one;
          break;
        case 2:
          y = relu(y);
          break;
        case 3:
          y = reshape(y, {1});
          break;
        case 4:
          y = i % 2 == 0 ? y + one : y - one;
          break;
        case 5:
          y = slice(y, 0, 1);
          break;
        default:
          y = concat(std::array<Tensor, 1>{y}, 0);
          break;
      }
    }
    return y;
  }
};

TEST_P(LongChain, ForwardBackwardAndDrop) {
  const std::size_t before = memory_use().live_bytes;
  {
    Tensor x = Tensor::full({1}, 2);
    x.set_requires_grad();
    const Tensor y = chain(x);
    int complete = 0;
    backward(y, [&](const Tensor&) { ++complete; });
    EXPECT_FLOAT_EQ(x.grad().item(), 1);
    EXPECT_EQ(complete, 1);
  }
  {
    Tensor x = Tensor::full({1}, 2);
    x.set_requires_grad();
    chain(x);
  }
  EXPECT_EQ(memory_use().live_bytes, before);
}

INSTANTIATE_TEST_SUITE_P(Operators, LongChain, testing::Range(0, 7));

TEST(Autograd, AGraphThatIsDroppedLeavesNothingAlive) {
  const std::size_t before = memory_use().live_bytes;
  {
    Tensor w = Tensor::full({4, 3}, 0.1F);
    w.set_requires_grad();
    const Tensor x = Tensor::full({2, 3}, 1);
    const Tensor y = softmax(linear(x, w, Tensor()));
    const Tensor loss = sum(square(y)) + mean(y);
    loss.backward();
    EXPECT_GT(memory_use().live_bytes, before);
  }
  EXPECT_EQ(memory_use().live_bytes, before);
}

TEST(Autograd, AWrongBackwardIsNamed) {
  const Tensor x = leaf(1);
  const Tensor y = record("odd", Tensor::scalar(1), {x},
                          [](const Tensor&) { return Gradients{Tensor::zeros({2})}; });
  try {
    y.backward();
    FAIL();
  } catch (const InternalError& e) {
    EXPECT_NE(std::string(e.what()).find("odd: the gradient of input 0 must have its shape ()"),
              std::string::npos)
        << e.what();
  }
}

// ---- gradients of a few rows, and gradients that add themselves ---------------------------------

constexpr std::array<std::int32_t, 3> kIds{2, 0, 2};

// An operator for tests whose gradient consists of the rows 2, 0 and 2 of x.
Tensor rows_operator(const Tensor& x, std::span<const std::int32_t> ids = kIds) {
  return record("rows_operator", Tensor::scalar(1), {x}, [ids, shape = x.shape()](const Tensor&) {
    return Gradients{Gradient::rows(shape, ids, Tensor::from({3, 2}, {1, 2, 10, 20, 100, 200}))};
  });
}

std::vector<float> values(const Tensor& t) {
  return {t.data().begin(), t.data().end()};
}

TEST(Gradient, RowsOverwriteAndThenAddUp) {
  Tensor x = Tensor::full({4, 2}, 1);
  x.set_requires_grad();
  rows_operator(x).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{10, 20, 0, 0, 101, 202, 0, 0}));
  rows_operator(x).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{20, 40, 0, 0, 202, 404, 0, 0}));
  sum(x).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{21, 41, 1, 1, 203, 405, 1, 1}));
  x.zero_grad();
  rows_operator(x).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{10, 20, 0, 0, 101, 202, 0, 0}));
}

TEST(Gradient, RowsOfAResultPassThroughIt) {
  Tensor x = Tensor::full({4, 2}, 1);
  x.set_requires_grad();
  const Tensor y = scale(x, 2);
  (rows_operator(y) + sum(y)).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{22, 42, 2, 2, 204, 406, 2, 2}));
}

TEST(Gradient, RowsOfALeafTakeNoMemoryOfItsSize) {
  Tensor x = Tensor::zeros({100'000, 2});
  x.set_requires_grad();
  rows_operator(x).backward();  // allocates the gradient
  const Tensor y = rows_operator(x);
  const auto use = memory_use();  // fills the memory up to the former peak
  const Tensor filler =
      Tensor::empty({static_cast<std::int64_t>((use.peak_bytes - use.live_bytes) / sizeof(real))});
  y.backward();
  EXPECT_LT(memory_use().peak_bytes, use.peak_bytes + 1000);
  sum(x).backward();  // a dense gradient
  EXPECT_GT(memory_use().peak_bytes, use.peak_bytes + 100'000 * sizeof(real));
}

TEST(Gradient, WrongRowsAreNamed) {
  const auto message = [](const Shape& shape, std::span<const std::int32_t> ids) -> std::string {
    Tensor x = Tensor::zeros(shape);
    x.set_requires_grad();
    try {
      rows_operator(x, ids).backward();
    } catch (const InternalError& e) {
      return e.what();
    }
    return "no error";
  };
  EXPECT_NE(message({2, 2}, kIds)
                .find("rows_operator: the gradient of input 0 has a row 2, outside "
                      "(2, 2)"),
            std::string::npos);
  EXPECT_NE(message({4, 2}, std::array{0, -1, 0}).find("a row -1"), std::string::npos);
  EXPECT_NE(message({4, 2}, std::array{0, 1}).find("2 rows of a gradient (4, 2); got (3, 2)"),
            std::string::npos);
  EXPECT_NE(message({4, 3}, kIds).find("(4, 3); got (3, 2)"), std::string::npos);
}

TEST(Gradient, AddsItselfWhereALeafWantsIt) {
  Tensor x = Tensor::full({2}, 1);
  x.set_requires_grad();
  std::vector<const real*> places;
  const auto self_adding = [&places](const Tensor& in) {
    return record("self_adding", Tensor::scalar(1), {in}, [&places](const Tensor&) {
      return Gradients{{Shape{2}, [&places](real beta, std::span<real> dx) {
                          places.push_back(dx.data());
                          for (real& d : dx) d = 3 + (beta == 0 ? 0 : d);
                        }}};
    });
  };
  self_adding(x).backward();
  self_adding(x).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{6, 6}));
  self_adding(scale(x, 2)).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<float>{12, 12}));
  ASSERT_EQ(places.size(), 3U);
  EXPECT_EQ(places[0], x.grad().data().data());
  EXPECT_EQ(places[1], x.grad().data().data());
}

}  // namespace
}  // namespace terse
