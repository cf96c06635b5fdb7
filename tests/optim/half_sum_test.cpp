// Tests of 16-bit sums: fp16 and bf16 with reduce=wide and reduce=hop.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "exchanges.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/kernels/half.hpp"

namespace terse {
namespace {

constexpr double kFp16Unit = 0x1p-11, kBf16Unit = 0x1p-8;

std::vector<OwnedGradients> normal_workers(int workers, std::int64_t n) {
  std::vector<OwnedGradients> gradients;
  for (int w = 0; w < workers; ++w) {
    gradients.push_back(normal_gradients({{"", n, 1}}, static_cast<std::uint32_t>(w)));
  }
  return gradients;
}

std::vector<float> mean(const std::string& spec, const std::vector<OwnedGradients>& gradients,
                        TestExchange::Options options = {}) {
  TestExchange exchange(maker(spec), static_cast<int>(gradients.size()), options);
  return flat(exchange.mean(gradients));
}

// One value per worker.
float mean_of_values(const std::string& spec, const std::vector<float>& values) {
  std::vector<OwnedGradients> gradients;
  for (const float value : values) gradients.push_back(vector_of({value}));
  return mean(spec, gradients)[0];
}

float rounded(bool fp16, float x) {
  return fp16 ? kernels::from_fp16(kernels::to_fp16(x)) : kernels::from_bf16(kernels::to_bf16(x));
}

// A ring of halves: chunk c of every worker's copy is sent on from worker c+1, and each worker that
// receives a partial sum adds its own values and rounds.
std::vector<float> ring_of_halves(bool fp16, const std::vector<OwnedGradients>& gradients) {
  const auto workers = std::ssize(gradients);
  std::vector<std::vector<float>> memory;
  for (const auto& gradient : gradients) memory.push_back(flat(gradient));
  const auto n = std::ssize(memory.front());
  std::vector<float> result(memory.front().size());
  for (std::int64_t chunk = 0; chunk < workers; ++chunk) {
    for (auto i = n * chunk / workers; i < n * (chunk + 1) / workers; ++i) {
      float sum = rounded(fp16, memory[(chunk + 1) % workers][i]);
      for (std::int64_t hop = 2; hop <= workers; ++hop) {
        sum = rounded(fp16, sum + rounded(fp16, memory[(chunk + hop) % workers][i]));
      }
      result[i] = sum * (1 / static_cast<float>(workers));
    }
  }
  return result;
}

TEST(HalfSum, ByHopsHasTheBitsOfARingOfHalves) {
  for (const int workers : {1, 2, 3, 5, 8}) {
    for (const std::int64_t n : {1, 33, 1000}) {
      const auto gradients = normal_workers(workers, n);
      for (const bool fp16 : {true, false}) {
        const std::string spec = fp16 ? "fp16:reduce=hop" : "bf16:reduce=hop";
        const auto expected = ring_of_halves(fp16, gradients);
        EXPECT_EQ(mean(spec, gradients), expected) << spec << ", " << workers << ", " << n;
        EXPECT_EQ(mean(spec, gradients, {.slice = 64}), expected) << spec << ", slices";
      }
    }
  }
}

// The errors of all values, each at most its bound; returns the relative root mean square error.
double expect_bounded(const std::string& spec, double unit, int workers) {
  const auto gradients = normal_workers(workers, 20000);
  const auto result = mean(spec, gradients);
  std::vector<double> exact(result.size()), magnitudes(result.size());
  for (const auto& gradient : gradients) {
    const auto values = flat(gradient);
    for (std::size_t i = 0; i < values.size(); ++i) {
      exact[i] += double{values[i]} / workers;
      magnitudes[i] += std::abs(double{values[i]}) / workers;
    }
  }
  const bool wide = spec.find("wide") != std::string::npos;
  double squares = 0, errors = 0;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double error = std::abs(result[i] - exact[i]);
    const double bound = wide ? unit * std::abs(double{result[i]}) + unit * magnitudes[i]
                              : (std::pow(1 + unit, workers) - 1) * magnitudes[i];
    const double in_floats = workers * 0x1p-24 * magnitudes[i], subnormal = 0x1p-24;
    EXPECT_LE(error, bound + in_floats + subnormal) << spec << ", value " << i;
    errors += error * error;
    squares += exact[i] * exact[i];
  }
  return std::sqrt(errors / squares);
}

TEST(HalfSum, ErrorsAreWithinTheirBounds) {
  for (const int workers : {1, 2, 3, 8}) {
    for (const auto* reduce : {"wide", "hop"}) {
      expect_bounded(fmt::format("fp16:reduce={}", reduce), kFp16Unit, workers);
      expect_bounded(fmt::format("bf16:reduce={}", reduce), kBf16Unit, workers);
    }
  }
}

TEST(HalfSum, HopsCostAlmostTwiceTheErrorOfOneRounding) {
  EXPECT_NEAR(expect_bounded("bf16", kBf16Unit, 8), 0.0017, 0.0002);
  EXPECT_NEAR(expect_bounded("bf16:reduce=wide", kBf16Unit, 8), 0.0023, 0.0002);
  EXPECT_NEAR(expect_bounded("bf16:reduce=hop", kBf16Unit, 8), 0.0040, 0.0003);
}

TEST(HalfSum, OneWorkerIsTheGatheredFormat) {
  const auto gradients = normal_workers(1, 1000);
  for (const auto* reduce : {"wide", "hop", "wide,divide=before", "hop,divide=before"}) {
    EXPECT_EQ(mean(fmt::format("fp16:reduce={}", reduce), gradients), mean("fp16", gradients));
    EXPECT_EQ(mean(fmt::format("bf16:reduce={}", reduce), gradients), mean("bf16", gradients));
  }
}

// 1 + 2^-9 rounds to 1 in bf16, so every hop loses its worker's value.
TEST(HalfSum, HopsSwampSmallValues) {
  std::vector<float> values(256, 0x1p-9F);
  values[0] = 1;  // of 256 chunks of one value only the last is not empty; it begins with worker 0
  EXPECT_EQ(256 * mean_of_values("bf16:reduce=hop", values), 1);
  EXPECT_EQ(256 * mean_of_values("bf16:reduce=wide", values), 1.5F);
  EXPECT_NEAR(256 * mean_of_values("bf16", values), 1 + 255 * 0x1p-9, 1e-6);
}

TEST(HalfSum, OnlySumsOfHalvesOverflow) {
  const std::vector<float> large(4, 40000);
  EXPECT_EQ(mean_of_values("fp16:reduce=wide", large), 40000);
  EXPECT_EQ(mean_of_values("fp16:reduce=wide,divide=before", large), 40000);
  EXPECT_EQ(mean_of_values("fp16:reduce=hop,divide=before", large), 40000);
  EXPECT_EQ(mean_of_values("fp16:reduce=hop", large), INFINITY);
}

// 2^-25 (k + 1/2) for k = 1 … 16: a half of at most 2^-25 is zero, and so are 7 of 16 values if
// eight workers divide first.
TEST(HalfSum, DividingFirstFlushesSmallValuesToZero) {
  std::vector<float> small;
  for (int i = 0; i < 1600; ++i)
    small.push_back(0x1p-25F * (static_cast<float>(1 + i % 16) + 0.5F));
  const std::vector<OwnedGradients> gradients(8, vector_of(small));
  const auto zeros = [&](const std::string& options) {
    const auto result = mean("fp16:reduce=" + options, gradients);
    return std::ranges::count(result, 0.0F);
  };
  EXPECT_EQ(zeros("wide,divide=before"), 700);
  EXPECT_EQ(zeros("hop,divide=before"), 700);
  EXPECT_EQ(zeros("wide,divide=after"), 0);
  EXPECT_EQ(zeros("hop,divide=after"), 0);
}

TEST(HalfSum, StochasticRoundingIsUnbiased) {
  constexpr std::int64_t kN = 50000;
  std::vector<OwnedGradients> gradients;
  double exact = 0;
  for (const float value : {1.001F, 0.3F, -0.77F, 2.003F}) {
    gradients.push_back(vector_of(std::vector<float>(kN, value)));
    exact += value / 4.0;
  }
  for (const auto* reduce : {"wide", "hop", "wide,divide=before", "hop,divide=before"}) {
    const auto result = mean(fmt::format("bf16:stochastic,reduce={}", reduce), gradients);
    double sum = 0, squares = 0;
    for (const float value : result) {
      sum += value / double{kN};
      squares += double{value} * value / kN;
    }
    const double variance = squares - sum * sum;
    EXPECT_GT(variance, 0) << reduce;
    EXPECT_NEAR(sum, exact, 5 * std::sqrt(variance / kN)) << reduce;
  }
}

TEST(HalfSum, ADivisionNeedsASumOfHalves) {
  EXPECT_THROW(make_compressor("fp16:divide=before"), UsageError);
  EXPECT_THROW(make_compressor("bf16:reduce=gather,divide=after"), UsageError);
  EXPECT_THROW(make_compressor("topk+fp16:reduce=wide"), UsageError);
  EXPECT_EQ(make_compressor("bf16:reduce=hop")->spec(),
            "bf16:stochastic=false,reduce=hop,divide=after");
  EXPECT_EQ(make_compressor("fp16")->spec(), "fp16:reduce=gather");
}

}  // namespace
}  // namespace terse
