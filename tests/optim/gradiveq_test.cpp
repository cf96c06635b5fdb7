// Tests of GradiVeq: which axes it learns, and in which steps.
#include <gtest/gtest.h>

#include <cmath>

#include "naive_svd.hpp"
#include "tersegrad/optim/testing/exchange.hpp"
#include "tersegrad/optim/testing/state.hpp"

namespace terse {
namespace {

constexpr std::int64_t kSlice = 10, kSlices = 30;

TestExchange exchange_of(const std::string& options, int workers = 1) {
  return {[=] { return make_compressor("gradiveq:slice=10," + options); }, workers};
}

// A vector whose slices are linear combinations of `rank` fixed vectors, followed by three more
// values.
OwnedGradients slices_in_a_plane(int rank, std::uint32_t draw) {
  const auto axes = normal_gradients({{"", rank, kSlice}}, 77).front().values;
  const auto weights = normal_gradients({{"", kSlices, rank}}, draw).front().values;
  auto x = normal_gradients({{"", kSlices * kSlice + 3, 1}}, draw);
  for (std::int64_t i = 0; i < kSlices * kSlice; ++i) {
    x[0].values[i] = 0;
    for (int c = 0; c < rank; ++c) {
      x[0].values[i] += weights[i / kSlice * rank + c] * axes[c * kSlice + i % kSlice];
    }
  }
  return x;
}

double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    error += std::pow(double{a[i]} - b[i], 2);
    size += double{b[i]} * b[i];
  }
  return std::sqrt(error / size);
}

TEST(GradiVeq, WhatStaysInTheLearnedPlaneIsExact) {
  auto exchange = exchange_of("keep=3,period=100,samples=2", 2);
  for (std::uint32_t step = 0; step < 6; ++step) {
    const auto a = slices_in_a_plane(3, 2 * step), b = slices_in_a_plane(3, 2 * step + 1);
    EXPECT_LT(relative_error(flat(exchange.mean({a, b})), flat(mean_of({a, b}))), 1e-5) << step;
    const auto floats = exchange.phases()[0].up[0].floats().size();
    EXPECT_EQ(floats, step < 2 ? 303U : 3 * 30U + 3U) << step;
  }
}

TEST(GradiVeq, WithoutLearningThePlaneIsMissed) {
  // The warm-up of one step skips the learning step, so the axes are a random basis, which keeps
  // about 3 of 10 components.
  TestExchange exchange(
      [] { return make_compressor("gradiveq:slice=10,keep=3,samples=1,period=9+warmup:steps=1"); },
      1);
  exchange.mean({slices_in_a_plane(3, 0)});
  const auto x = slices_in_a_plane(3, 1);
  const double error = relative_error(flat(exchange.mean({x})), flat(x));
  EXPECT_GT(error, 0.3);
  EXPECT_LE(error, 1);
}

TEST(GradiVeq, TheAxesAreTheBestForWhatWasLearned) {
  auto exchange = exchange_of("keep=4,period=100,samples=1");
  const auto x = normal_gradients({{"", kSlices, kSlice}}, 5);
  exchange.mean({x});
  const auto again = flat(exchange.mean({x})), values = flat(x);
  const NaiveSvd naive(kSlices, kSlice, values);
  double tail = 0, size = 0;
  for (std::size_t c = 0; c < naive.s.size(); ++c) {
    size += naive.s[c] * naive.s[c];
    if (c >= 4) tail += naive.s[c] * naive.s[c];
  }
  EXPECT_NEAR(relative_error(again, values), std::sqrt(tail / size), 1e-5);
}

TEST(GradiVeq, KeepingAllAxesIsExact) {
  auto exchange = exchange_of("keep=10,period=4,samples=1");
  for (std::uint32_t step = 0; step < 8; ++step) {
    const auto x = normal_gradients({{"", 41, 5}, {"", 7, 1}}, step);
    EXPECT_LT(relative_error(flat(exchange.mean({x})), flat(x)), 1e-5) << step;
  }
}

TEST(GradiVeq, WorkersHoldTheSameAxesAndLearnThemAnew) {
  auto exchange = exchange_of("keep=3,period=3,samples=1", 3);
  std::uint64_t before = 0;
  for (std::uint32_t step = 0; step < 6; ++step) {
    std::vector<OwnedGradients> gradients;
    for (std::uint32_t w = 0; w < 3; ++w) {
      gradients.push_back(normal_gradients({{"", 12, 30}}, 3 * step + w));
    }
    exchange.mean(gradients);
    const auto hash = state_hash(exchange.worker(0));
    EXPECT_EQ(hash, state_hash(exchange.worker(1)));
    EXPECT_EQ(hash, state_hash(exchange.worker(2)));
    EXPECT_EQ(hash != before, step % 3 == 0) << step;
    before = hash;
  }
}

TEST(GradiVeq, NanTeachesNothing) {
  auto exchange = exchange_of("keep=3,period=2,samples=1");
  exchange.mean({slices_in_a_plane(3, 0)});
  auto broken = slices_in_a_plane(3, 1);
  exchange.mean({broken});
  broken[0].values[4] = std::nanf("");
  exchange.mean({broken});  // the learning step
  const auto x = slices_in_a_plane(3, 2);
  EXPECT_LT(relative_error(flat(exchange.mean({x})), flat(x)), 1e-5);
}

}  // namespace
}  // namespace terse
