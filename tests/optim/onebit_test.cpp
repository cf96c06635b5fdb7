// Tests of the quantiser of 1-bit SGD.
#include <gtest/gtest.h>

#include <cmath>

#include "tersegrad/optim/testing/exchange.hpp"
#include "tersegrad/optim/testing/state.hpp"

namespace terse {
namespace {

std::vector<float> reconstruction_of(const OwnedGradients& gradient) {
  TestExchange exchange([] { return make_compressor("onebit"); }, 1);
  return flat(exchange.mean({gradient}));
}

TEST(OneBit, EveryColumnHasTwoMeans) {
  EXPECT_EQ(reconstruction_of({{0, 3, 2, {1, -4, 3, 0, -5, -2}}}),
            (std::vector<float>{2, -3, 2, 0, -5, -3}));
}

TEST(OneBit, AVectorIsOneColumnAndAnEmptyClassIsZero) {
  EXPECT_EQ(reconstruction_of({{0, 4, 1, {1, 2, 6, -1}}}), (std::vector<float>{3, 3, 3, -1}));
  TestExchange exchange([] { return make_compressor("onebit"); }, 1);
  const OwnedGradients gradient{{0, 2, 1, {4, 2}}};
  exchange.mean({gradient});
  const auto floats = exchange.phases()[0].up[0].floats();
  EXPECT_EQ(floats[0], 3);
  EXPECT_EQ(floats[1], 0);
}

TEST(OneBit, ColumnMeansAreKept) {
  constexpr std::int64_t kRows = 50, kColumns = 130;
  const auto x = normal_gradients({{"", kRows, kColumns}}, 1);
  const auto in = flat(x), out = reconstruction_of(x);
  for (std::int64_t j = 0; j < kColumns; ++j) {
    double before = 0, after = 0;
    for (std::int64_t i = 0; i < kRows; ++i) {
      before += in[i * kColumns + j];
      after += out[i * kColumns + j];
    }
    EXPECT_NEAR(after, before, 1e-5 * kRows) << "column " << j;
  }
}

// No other pair of values has a smaller error.
TEST(OneBit, IsTheBestFitOfItsThreshold) {
  const auto x = normal_gradients({{"", 40, 1}}, 2);
  const auto in = flat(x), out = reconstruction_of(x);
  const auto distance = [&](float shift_plus, float shift_minus) {
    double sum = 0;
    for (std::size_t i = 0; i < in.size(); ++i) {
      sum += std::pow(out[i] + (in[i] < 0 ? shift_minus : shift_plus) - in[i], 2);
    }
    return sum;
  };
  for (const float shift : {-0.01F, 0.01F}) {
    EXPECT_GT(distance(shift, 0), distance(0, 0));
    EXPECT_GT(distance(0, shift), distance(0, 0));
  }
}

// 1-bit SGD: the residual stays bounded, because the quantiser preserves the means.
TEST(OneBit, TheResidualStaysBounded) {
  TestExchange exchange([] { return make_compressor("onebit+ef"); }, 2);
  const std::vector<MatrixShape> shapes{{"", 30, 20}};
  double largest = 0;
  for (std::uint32_t step = 0; step < 300; ++step) {
    exchange.mean({normal_gradients(shapes, 2 * step), normal_gradients(shapes, 2 * step + 1)});
    for (const float e : residual_of(exchange.worker(0))) {
      largest = std::max(largest, std::abs(double{e}));
    }
  }
  EXPECT_LT(largest, 12);
}

}  // namespace
}  // namespace terse
