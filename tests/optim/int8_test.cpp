// Tests of 8-bit integers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tersegrad/optim/testing/exchange.hpp"
#include "tersegrad/optim/testing/law_inputs.hpp"

namespace terse {
namespace {

using Limits = std::numeric_limits<float>;

std::vector<float> reconstruction_of(std::vector<float> values, std::int64_t bucket = 0) {
  TestExchange exchange([=] { return make_compressor(fmt::format("int8:bucket={}", bucket)); }, 1);
  const auto n = std::ssize(values);
  const OwnedGradients gradient{{0, n, 1, std::move(values)}};
  return flat(exchange.mean({gradient}));
}

// The error is at most half a step plus the rounding of a float.
void expect_close(const std::vector<float>& x, std::int64_t bucket, const std::string& name) {
  const auto out = reconstruction_of(x, bucket);
  const auto n = std::ssize(x), width = bucket == 0 ? n : bucket;
  for (std::int64_t begin = 0; begin < n; begin += width) {
    const auto end = std::min(n, begin + width);
    const auto [low, high] = std::minmax_element(x.begin() + begin, x.begin() + end);
    const double range = double{*high} - *low;
    const double rounding = std::max(std::abs(*low), std::abs(*high)) * 0x1p-24 + 0x1p-149;
    for (auto i = begin; i < end; ++i) {
      ASSERT_LE(std::abs(double{out[i]} - x[i]), range / 510 * (1 + 1e-9) + rounding)
          << name << ", value " << i;
    }
  }
}

TEST(Int8, EveryValueIsWithinHalfAStep) {
  for (const auto& input : law_inputs()) {
    const auto x = flat(input.gradients);
    if (std::ranges::any_of(x, [](float v) { return !std::isfinite(v); })) continue;
    for (const std::int64_t bucket : {0, 1, 7, 64}) expect_close(x, bucket, input.name);
  }
  expect_close(normal_gradients({{"", 100000, 1}}, 3)[0].values, 0, "long");
}

TEST(Int8, TheEndsAndWhatIsConstantAreExact) {
  const auto out = reconstruction_of({-0.1F, 0.7F, 123.4F});
  EXPECT_EQ(out[0], -0.1F);
  EXPECT_EQ(out[2], 123.4F);
  EXPECT_EQ(reconstruction_of({0.3F, 0.3F}), (std::vector<float>{0.3F, 0.3F}));
  EXPECT_EQ(reconstruction_of({Limits::max(), Limits::lowest()}),
            (std::vector<float>{Limits::max(), Limits::lowest()}));
}

TEST(Int8, WhatIsNotFiniteSpoilsItsBucketAlone) {
  for (const float bad :
       {Limits::quiet_NaN(), -Limits::quiet_NaN(), Limits::infinity(), -Limits::infinity()}) {
    std::vector<float> x{1, 2, 3, 4, bad, 6, 7};
    const auto out = reconstruction_of(x, 3);
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(std::isnan(out[i]), i / 3 == 1) << i;
  }
}

}  // namespace
}  // namespace terse
