// Tests of 16-bit floats.
#include "tersegrad/optim/kernels/half.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "exchanges.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/testing/exchange.hpp"

namespace terse {
namespace {

using Limits = std::numeric_limits<float>;

// The value of a binary16 by the definition of IEEE 754.
double value_of_fp16(unsigned half) {
  const int exponent = static_cast<int>(half >> 10 & 31), mantissa = static_cast<int>(half & 1023);
  const double sign = half >> 15 != 0 ? -1 : 1;
  if (exponent == 31) return mantissa == 0 ? sign * HUGE_VAL : std::nan("");
  return sign *
         (exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25));
}

TEST(Fp16, EveryCodeHasItsValueAndComesBack) {
  for (unsigned half = 0; half < 65536; ++half) {
    const float value = kernels::from_fp16(static_cast<std::uint16_t>(half));
    if (std::isnan(value_of_fp16(half))) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(kernels::from_fp16(kernels::to_fp16(value))));
      continue;
    }
    ASSERT_EQ(value, value_of_fp16(half)) << half;
    ASSERT_EQ(kernels::to_fp16(value), half);
  }
}

// Between any two neighbours, the midpoint rounds to the even one and its float neighbours round to
// the nearer one.
TEST(Fp16, RoundsToTheNearestAndTiesToEven) {
  for (unsigned half = 0; half < 0x7c00; ++half) {
    const double low = value_of_fp16(half);
    const double high = half == 0x7bff ? 65536 : value_of_fp16(half + 1);
    const auto middle = static_cast<float>((low + high) / 2);
    ASSERT_EQ(kernels::to_fp16(middle), half + half % 2) << half;
    ASSERT_EQ(kernels::to_fp16(std::nextafter(middle, 0.0F)), half);
    ASSERT_EQ(kernels::to_fp16(std::nextafter(middle, Limits::infinity())), half + 1);
    ASSERT_EQ(kernels::to_fp16(-middle), (half + half % 2) | 0x8000U);
  }
}

// The largest error next to the boundary of the normal range: relative from it on, absolute below.
TEST(SixteenBits, BelowTheNormalRangeTheErrorIsAbsolute) {
  const auto largest_error = [](const std::string& spec, double from, double to) {
    std::vector<float> x;
    for (int i = 0; i < 4096; ++i) x.push_back(static_cast<float>(from + (to - from) * i / 4096));
    TestExchange exchange([&] { return make_compressor(spec); }, 1);
    const auto out = flat(exchange.mean({vector_of(x)}));
    std::pair<double, double> most;  // absolute, relative
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = std::abs(double{out[i]} - x[i]);
      most.first = std::max(most.first, error);
      most.second = std::max(most.second, error / x[i]);
    }
    return most;
  };
  struct Format {
    std::string spec;
    int digits, least;  // of the least normal value, 2^least
  };
  for (const auto& [spec, digits, least] : {Format{"fp16", 11, -14}, Format{"bf16", 8, -126}}) {
    const double normal = std::exp2(least), half_step = std::exp2(least - digits);
    const auto above = largest_error(spec, normal, 2 * normal);
    EXPECT_LE(above.second, std::exp2(-digits)) << spec;
    EXPECT_GT(above.second, 0.9 * std::exp2(-digits)) << spec;
    const auto below = largest_error(spec, normal / 16, normal / 8);
    EXPECT_LE(below.first, half_step) << spec;
    EXPECT_GT(below.first, 0.9 * half_step) << spec;
    EXPECT_GT(below.second, 4 * std::exp2(-digits)) << spec;
  }
}

TEST(Fp16, LargeValuesBecomeInfinite) {
  EXPECT_EQ(kernels::from_fp16(kernels::to_fp16(65519.996F)), 65504);
  for (const float x : {65520.0F, 1e30F, Limits::max(), Limits::infinity()}) {
    EXPECT_EQ(kernels::from_fp16(kernels::to_fp16(x)), Limits::infinity());
    EXPECT_EQ(kernels::from_fp16(kernels::to_fp16(-x)), -Limits::infinity());
  }
}

// Full vectors and a remainder, with all codes and with values next to all rounding boundaries.
TEST(Fp16, ManyAtATimeAreThoseOneByOne) {
  std::vector<std::uint16_t> halves(65536 + 3);
  std::vector<float> values;
  for (std::size_t i = 0; i < halves.size(); ++i) {
    halves[i] = static_cast<std::uint16_t>(i);
    const float value = kernels::from_fp16(halves[i]), next = kernels::from_fp16(halves[i] + 1);
    const float middle = value / 2 + next / 2;
    values.insert(values.end(), {value, middle, std::nextafter(middle, 0.0F),
                                 std::nextafter(middle, 2 * middle)});
  }
  Philox random(3, {});
  for (int i = 0; i < 1'000'000; ++i) values.push_back(std::bit_cast<float>(random.next()));
  std::vector<std::uint16_t> many(values.size());
  kernels::to_fp16(values, many);
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(many[i], kernels::to_fp16(values[i])) << values[i];
  }
  std::vector<float> sums(halves.size(), 1);
  auto expected = sums;
  kernels::add_fp16(halves, 0.5F, sums);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    expected[i] += 0.5F * kernels::from_fp16(halves[i]);
    ASSERT_TRUE(sums[i] == expected[i] || (std::isnan(sums[i]) && std::isnan(expected[i]))) << i;
  }
}

TEST(Bf16, RoundsToTheNearestAndTiesToEven) {
  for (std::uint32_t half = 0; half < 0x7f80; ++half) {
    const auto float_of = [](std::uint32_t bits) { return std::bit_cast<float>(bits); };
    const std::uint32_t bits = half << 16;
    ASSERT_EQ(kernels::to_bf16(float_of(bits)), half);
    ASSERT_EQ(kernels::to_bf16(float_of(bits + 0x8000)), half + half % 2);
    ASSERT_EQ(kernels::to_bf16(float_of(bits + 0x7fff)), half);
    ASSERT_EQ(kernels::to_bf16(float_of(bits + 0x8001)), half + 1);
    ASSERT_EQ(kernels::to_bf16(-float_of(bits + 0x8001)), (half + 1) | 0x8000U);
  }
  EXPECT_EQ(kernels::from_bf16(kernels::to_bf16(Limits::max())), Limits::infinity());
}

TEST(Bf16, NanStaysNanWhateverIsAdded) {
  for (const std::uint32_t bits : {0x7f800001U, 0x7fffffffU, 0xff800001U, 0xffffffffU}) {
    const auto nan = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(kernels::from_bf16(kernels::to_bf16(nan))));
    EXPECT_TRUE(std::isnan(kernels::from_bf16(kernels::to_bf16(nan, 0xffff))));
    EXPECT_TRUE(std::isnan(kernels::from_fp16(kernels::to_fp16(nan))));
  }
  EXPECT_EQ(kernels::from_bf16(kernels::to_bf16(Limits::infinity(), 0xffff)), Limits::infinity());
}

TEST(Bf16, StochasticRoundingIsRightInTheMean) {
  constexpr int kN = 100000;
  const float step = std::ldexp(1.0F, -7), x = 1 + 0.3F * step;
  TestExchange exchange([] { return make_compressor("bf16:stochastic"); }, 1);
  double ups = 0;
  const OwnedGradients gradient{{0, kN, 1, std::vector<float>(kN, x)}};
  for (const float v : flat(exchange.mean({gradient}))) {
    ASSERT_TRUE(v == 1 || v == 1 + step) << v;
    ups += v == 1 ? 0 : 1;
  }
  EXPECT_NEAR(ups / kN, 0.3, 5 * std::sqrt(0.3 * 0.7 / kN));
}

TEST(Halves, AreAddedInThirtyTwoBits) {
  // 2048 + 1 is not representable in binary16, but the mean over the four workers is exact.
  TestExchange exchange([] { return make_compressor("fp16"); }, 4);
  const auto one = [](float x) { return OwnedGradients{{0, 1, 1, {x}}}; };
  EXPECT_EQ(flat(exchange.mean({one(2048), one(1), one(1), one(1)}))[0], 2051.0F / 4);
}

}  // namespace
}  // namespace terse
