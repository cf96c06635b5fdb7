// Tests of top-k, random-k, and the sum of sparse vectors.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <map>

#include "exchanges.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/kernels/merge.hpp"

namespace terse {
namespace {

std::vector<float> reconstruction_of(const std::string& spec, const OwnedGradients& gradient) {
  TestExchange exchange([&] { return make_compressor(spec); }, 1);
  return flat(exchange.mean({gradient}));
}

TEST(TopK, TiesGoToTheLowestIndex) {
  EXPECT_EQ(reconstruction_of("topk:k=3", vector_of({1, -2, 2, 2, -2, 1})),
            (std::vector<float>{0, -2, 2, 2, 0, 0}));
  EXPECT_EQ(reconstruction_of("topk:k=2", vector_of({0, 0, 0})), (std::vector<float>{0, 0, 0}));
}

TEST(TopK, NanCountsAsInfinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const auto out = reconstruction_of("topk:k=2", vector_of({1e30F, nan, -infinity, infinity}));
  EXPECT_TRUE(std::isnan(out[1]));
  EXPECT_EQ(out[2], -infinity);
  EXPECT_EQ(out[0], 0);
  EXPECT_EQ(out[3], 0);
}

TEST(TopK, ScopeModelComparesTensors) {
  const OwnedGradients two{{0, 2, 1, {5, 4}}, {1, 2, 1, {3, 1}}};
  EXPECT_EQ(reconstruction_of("topk:ratio=0.5", two), (std::vector<float>{5, 0, 3, 0}));
  EXPECT_EQ(reconstruction_of("topk:ratio=0.5,scope=model", two), (std::vector<float>{5, 4, 0, 0}));
}

TEST(TopK, EverythingKeptIsExact) {
  const auto gradient = vector_of({1, 0, -3});
  EXPECT_EQ(reconstruction_of("topk:ratio=1", gradient), flat(gradient));
  EXPECT_EQ(reconstruction_of("topk:k=99", gradient), flat(gradient));
}

// The number of coordinates is that of the decimal in the spec: 0.29 of 100 are 29, although the
// product of the doubles is 28.999999999999996.
TEST(Ratio, TheCountIsThatOfTheDecimal) {
  const auto entries = [](const std::string& compressor, int thousandths, std::int64_t n) {
    TestExchange exchange(
        maker(fmt::format("{},ratio={}", compressor, static_cast<double>(thousandths) / 1000)), 1);
    exchange.mean({normal_gradients({{"", n / 10, 10}}, 1)});
    return std::ssize(exchange.phases()[0].up[0].words());
  };
  for (const std::int64_t n : {100, 700, 1000}) {
    for (int thousandths = 1; thousandths <= 1000; thousandths += n == 100 ? 1 : 37) {
      const auto product = thousandths * n;
      const auto below = std::max<std::int64_t>(1, product / 1000), above = (product + 999) / 1000;
      ASSERT_EQ(entries("topk:warmup=0", thousandths, n), 2 * below) << thousandths << " of " << n;
      ASSERT_EQ(entries("randomk:warmup=0", thousandths, n), below) << thousandths << " of " << n;
      ASSERT_EQ(entries("randomblock:warmup=0", thousandths, n), below) << thousandths;
      ASSERT_EQ(entries("dgc:sample=1", thousandths, n), above == n ? n : 2 * above)
          << thousandths << " of " << n;
    }
  }
}

TEST(TopK, PayloadIsCoordinatesThenValues) {
  TestExchange exchange([] { return make_compressor("topk:k=1"); }, 1);
  exchange.mean({{{0, 3, 1, {0, 7, 1}}, {1, 2, 1, {-2, -9}}}});
  const auto& packet = exchange.phases()[0].up[0];
  ASSERT_EQ(packet.words().size(), 4U);
  EXPECT_EQ(packet.words()[0], 1U);
  EXPECT_EQ(packet.words()[1], 4U);
  EXPECT_EQ(packet.floats()[2], 7);
  EXPECT_EQ(packet.floats()[3], -9);
}

TEST(TopK, TheAnswerIsTheUnionOrDense) {
  const auto answer = [](std::vector<float> a, std::vector<float> b) {
    TestExchange exchange([] { return make_compressor("topk:k=1"); }, 2);
    exchange.mean({vector_of(std::move(a)), vector_of(std::move(b))});
    return exchange.phases()[0].down;
  };
  const auto sparse = answer({0, 0, 4, 0, 0}, {2, 0, 0, 0, 0});
  ASSERT_EQ(sparse.words().size(), 4U);  // two entries of 8 bytes are smaller than five of 4 bytes
  EXPECT_EQ(sparse.words()[0], 0U);
  EXPECT_EQ(sparse.words()[1], 2U);
  EXPECT_EQ(sparse.floats()[2], 1);
  EXPECT_EQ(sparse.floats()[3], 2);
  EXPECT_EQ(answer({0, 0, 4, 0}, {2, 0, 0, 0}).words().size(),
            4U);  // dense: no larger than 2 entries
  EXPECT_EQ(answer({4, 0, 0, 0}, {2, 0, 0, 0}).words().size(), 2U);  // both chose the same
}

TEST(TopK, WarmUpFallsFromAQuarterByEqualFactors) {
  const auto entries = [](const std::string& spec) {
    TestExchange exchange([&] { return make_compressor(spec); }, 1);
    std::vector<std::size_t> counts;
    for (std::uint32_t step = 0; step < 6; ++step) {
      exchange.mean({normal_gradients({{"", 64, 64}}, step)});
      counts.push_back(exchange.phases()[0].up[0].payload().size() / 4);
    }
    return counts;
  };
  // 4096 values: 1024 entries, then a quarter as many in each step, down to 4.
  EXPECT_EQ(entries("randomk:k=4,warmup=4"), (std::vector<std::size_t>{1024, 256, 64, 16, 4, 4}));
  EXPECT_EQ(entries("randomblock:k=4,warmup=4"),
            (std::vector<std::size_t>{1024, 256, 64, 16, 4, 4}));
  EXPECT_EQ(entries("topk:k=4,warmup=2"), (std::vector<std::size_t>{2048, 128, 8, 8, 8, 8}));
  EXPECT_EQ(entries("topk:ratio=0.5,warmup=9"), (std::vector<std::size_t>(6, 4096)));
}

TEST(Sparse, SubtractingWhatWasSaidIsTheGenericWayBitForBit) {
  for (const auto* spec : {"topk:ratio=0.3", "topk:ratio=0.3+sign", "threshold:tau=0.5",
                           "wangni:ratio=0.5", "dgc:ratio=0.3"}) {
    const auto compressor = make_compressor(spec);
    auto gradient = normal_gradients({{"", 12, 9}, {"", 7, 1}, {"", 4, 30}}, 3);
    gradient[0].values[5] = std::numeric_limits<float>::quiet_NaN();
    gradient[2].values[7] = std::numeric_limits<float>::infinity();
    auto residual = zero_gradients(shapes_of(gradient)), reconstruction = gradient,
         generic = gradient;
    const Round round{.seed = 1, .count = count(views_of(gradient))};
    Packet packet;
    compressor->encode(round, views_of(gradient), packet);
    compressor->reconstruct(round, packet, views_of(reconstruction));
    for (std::size_t t = 0; t < reconstruction.size(); ++t) {
      for (std::size_t i = 0; i < reconstruction[t].values.size(); ++i) {
        generic[t].values[i] -= reconstruction[t].values[i];
      }
    }
    ASSERT_TRUE(make_compressor(spec)->encode_with_residual(round, views_of(gradient), 1,
                                                            views_of(residual), packet))
        << spec;
    EXPECT_TRUE(same_bits(residual, generic)) << spec;
  }
}

TEST(RandomK, WorkersShareTheCoordinatesAndStepsDoNot) {
  const std::vector<MatrixShape> shapes{{"", 40, 5}, {"", 300, 1}};
  TestExchange exchange([] { return make_compressor("randomk:ratio=0.1"); }, 2);
  std::vector<bool> before;
  for (std::uint32_t step = 0; step < 3; ++step) {
    const auto a = normal_gradients(shapes, 2 * step), b = normal_gradients(shapes, 2 * step + 1);
    const auto mean = flat(exchange.mean({a, b}));
    const auto x = flat(a), y = flat(b);
    std::vector<bool> chosen;
    for (std::size_t i = 0; i < mean.size(); ++i) {
      chosen.push_back(mean[i] != 0);
      EXPECT_FLOAT_EQ(mean[i], chosen.back() ? (x[i] + y[i]) / 2 : 0);
    }
    EXPECT_EQ(std::count(chosen.begin(), chosen.end(), true), 20 + 30);
    EXPECT_NE(chosen, before);
    before = chosen;
  }
}

TEST(RandomK, CoordinatesAreUniform) {
  constexpr int kSteps = 20000;
  TestExchange exchange([] { return make_compressor("randomk:k=3"); }, 1);
  std::vector<double> chosen(10);
  for (int step = 0; step < kSteps; ++step) {
    const auto out = flat(exchange.mean({vector_of(std::vector<float>(10, 1.0F))}));
    for (std::size_t i = 0; i < out.size(); ++i) chosen[i] += out[i];
  }
  for (const double times : chosen) {
    EXPECT_NEAR(times, kSteps * 0.3, 5 * std::sqrt(kSteps * 0.3 * 0.7));
  }
}

// Blocks and pieces of the kernels end before, at and after coordinates. The weight is a power of
// two, so that fused and separate rounding of product and sum give the same bits.
TEST(Merge, IsTheSumOfTheTermsWhereAnyHasAnEntry) {
  Philox random(4, {.purpose = Purpose::test});
  for (const std::int64_t n : {0, 1, 31, 32, 4096, 4097, 100'000}) {
    for (const std::uint64_t one_in : {1, 3, 1000}) {
      std::vector<std::vector<std::uint32_t>> at(3);
      std::vector<std::vector<float>> values(3);
      std::vector<kernels::SparseTerm> terms;
      std::map<std::uint32_t, float> sum;
      for (std::size_t t = 0; t < 3; ++t) {
        for (std::uint32_t i = 0; i < n; ++i) {
          if (random.below(one_in) != 0) continue;
          at[t].push_back(i);
          values[t].push_back(random.normal());
          sum[i] += 0.25F * values[t].back();
        }
        terms.push_back({.at = at[t], .values = values[t], .weight = 0.25F});
      }
      std::vector<std::uint32_t> union_at;
      std::vector<float> union_values;
      kernels::merge(terms, n, union_at, union_values);
      ASSERT_EQ(union_at.size(), sum.size()) << n;
      std::size_t entry = 0;
      for (const auto& [i, value] : sum) {
        ASSERT_EQ(union_at[entry], i) << n;
        ASSERT_EQ(std::bit_cast<std::uint32_t>(union_values[entry++]),
                  std::bit_cast<std::uint32_t>(value))
            << n;
      }

      const auto first = static_cast<std::size_t>(n / 3);
      std::vector<float> out(static_cast<std::size_t>(n) - first, -1);
      kernels::place(union_at, union_values, n / 3, out);
      for (std::size_t i = 0; i < out.size(); ++i) {
        const auto found = sum.find(static_cast<std::uint32_t>(first + i));
        ASSERT_EQ(out[i], found == sum.end() ? 0 : found->second) << n;
      }
    }
  }
}

}  // namespace
}  // namespace terse
