// Tests of the decompositions and of the compressors that use them: svd and atomo.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "naive_svd.hpp"
#include "tersegrad/optim/kernels/svd.hpp"
#include "tersegrad/optim/testing/exchange.hpp"

namespace terse {
namespace {

OwnedTensor random_matrix(std::int64_t n, std::int64_t m, std::uint32_t draw) {
  return normal_gradients({{"", n, m}}, draw).front();
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

constexpr std::pair<std::int64_t, std::int64_t> kShapes[] = {{1, 9}, {9, 2}, {12, 30}, {40, 25}};

TEST(Svd, FactorsAreOrthonormalAndMakeTheMatrix) {
  for (const auto& [n, m] : kShapes) {
    const auto matrix = random_matrix(n, m, 3);
    const auto found = kernels::svd({n, m, matrix.values});
    const auto k = std::min(n, m);
    for (std::int64_t a = 0; a < k; ++a) {
      for (std::int64_t b = 0; b < k; ++b) {
        double uu = 0, vv = 0;
        for (std::int64_t i = 0; i < n; ++i) uu += double{found.u[a * n + i]} * found.u[b * n + i];
        for (std::int64_t j = 0; j < m; ++j) vv += double{found.v[a * m + j]} * found.v[b * m + j];
        EXPECT_NEAR(uu, a == b, 1e-5);
        EXPECT_NEAR(vv, a == b, 1e-5);
      }
    }
    for (std::int64_t i = 0; i < n * m; ++i) {
      double sum = 0;
      for (std::int64_t c = 0; c < k; ++c) {
        sum += double{found.s[c]} * found.u[c * n + i / m] * found.v[c * m + i % m];
      }
      EXPECT_NEAR(sum, matrix.values[i], 1e-5);
    }
  }
}

TEST(Svd, SingularValuesAreThoseOfJacobi) {
  for (const auto& [n, m] : kShapes) {
    const auto matrix = random_matrix(n, m, 5);
    const auto found = kernels::svd({n, m, matrix.values});
    const NaiveSvd naive(n, m, matrix.values);
    for (std::size_t c = 0; c < found.s.size(); ++c) EXPECT_NEAR(found.s[c], naive.s[c], 1e-5);
  }
}

TEST(Svd, WhatIsLostIsTheTailOfTheSingularValues) {
  const auto matrix = random_matrix(20, 12, 6);
  const NaiveSvd naive(20, 12, matrix.values);
  const double size = squared_distance(matrix.values, std::vector<float>(240));
  for (const int rank : {1, 2, 5, 11, 12, 40}) {
    TestExchange exchange([&] { return make_compressor("svd:rank=" + std::to_string(rank)); }, 1);
    const auto lost = squared_distance(exchange.mean({{matrix}})[0].values, matrix.values);
    double tail = 0;
    for (std::size_t c = rank; c < naive.s.size(); ++c) tail += naive.s[c] * naive.s[c];
    EXPECT_NEAR(lost, tail, 1e-5 * size) << rank;
    EXPECT_LE(lost, (1 - std::min(1.0, rank / 12.0)) * size + 1e-5 * size) << rank;
  }
}

TEST(Svd, AMatrixThatIsNotFiniteIsNanAndSpoilsNoOther) {
  auto broken = random_matrix(20, 12, 6);
  broken.values[7] = std::numeric_limits<float>::infinity();
  auto sound = random_matrix(6, 5, 7);
  sound.id = 1;
  for (const auto* spec : {"svd:rank=2", "atomo:rank=2"}) {
    TestExchange exchange([&] { return make_compressor(spec); }, 1);
    const auto out = exchange.mean({{broken, sound}});
    EXPECT_TRUE(std::isnan(out[0].values[0])) << spec;
    for (const float value : out[1].values) EXPECT_TRUE(std::isfinite(value)) << spec;
  }
}

TEST(PrincipalAxes, AreTheEigenvectorsOfTheLargestEigenvalues) {
  // C = B^T B has the right singular vectors of B as eigenvectors.
  constexpr std::int64_t kRows = 30, kSize = 12, kKeep = 4;
  const auto b = random_matrix(kRows, kSize, 8);
  std::vector<float> c(kSize * kSize);
  for (std::int64_t i = 0; i < kSize * kSize; ++i) {
    double sum = 0;
    for (std::int64_t r = 0; r < kRows; ++r) {
      sum += double{b.values[r * kSize + i / kSize]} * b.values[r * kSize + i % kSize];
    }
    c[i] = static_cast<float>(sum);
  }
  const auto axes = kernels::principal_axes(kSize, c, kKeep);
  const NaiveSvd naive(kRows, kSize, b.values);
  ASSERT_EQ(axes.size(), static_cast<std::size_t>(kKeep * kSize));
  for (std::int64_t a = 0; a < kKeep; ++a) {
    double overlap = 0;
    for (std::int64_t i = 0; i < kSize; ++i) overlap += axes[a * kSize + i] * naive.v[a][i];
    EXPECT_NEAR(std::abs(overlap), 1, 1e-4) << a;
  }
  c[5] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(kernels::principal_axes(kSize, c, kKeep).empty());
}

// The number of atoms in worker 0's packet for one matrix of 20 x 12 values.
std::uint32_t atoms_sent(const TestExchange& exchange) {
  const auto& packet = exchange.phases()[0].up[0];
  const auto count = packet.words()[0];
  EXPECT_EQ(packet.payload().size(), 4U + 4U * 33U * count);
  return count;
}

TEST(Atomo, AsManyAtomsAsTheBudgetInEveryPacket) {
  const auto matrix = random_matrix(20, 12, 6);
  for (const std::uint32_t rank : {1U, 3U, 11U}) {
    const auto spec = "atomo:rank=" + std::to_string(rank);
    TestExchange exchange([&] { return make_compressor(spec); }, 1);
    for (int step = 0; step < 200; ++step) {
      exchange.mean({{matrix}});
      EXPECT_EQ(atoms_sent(exchange), rank) << step;
    }
  }
}

TEST(Atomo, IndependentDrawsHaveAsManyAtomsAsTheBudgetOnAverage) {
  constexpr int kSteps = 2000;
  const auto matrix = random_matrix(20, 12, 6);
  TestExchange exchange([] { return make_compressor("atomo:rank=3,independent"); }, 1);
  double atoms = 0;
  bool fewer = false, more = false;
  for (int step = 0; step < kSteps; ++step) {
    exchange.mean({{matrix}});
    const auto count = atoms_sent(exchange);
    atoms += count;
    fewer = fewer || count < 3;
    more = more || count > 3;
  }
  EXPECT_NEAR(atoms / kSteps, 3, 5 * std::sqrt(3.0 / kSteps));
  EXPECT_TRUE(fewer && more);  // a packet is not redrawn to have exactly 3 atoms
}

// The number of floats in worker 0's packet for one tensor, without the count of atoms that
// precedes a matrix.
std::size_t floats_sent(const MatrixShape& shape) {
  TestExchange exchange([] { return make_compressor("atomo:rank=2"); }, 1);
  exchange.mean({normal_gradients({shape}, 6)});
  return exchange.phases()[0].up[0].words().size() - 1;
}

TEST(Atomo, FoldsConvolutionsAndVectors) {
  EXPECT_EQ(floats_sent({"", 16, 72, 9}), 2U * (64 + 18 + 1));  // 16 x 8 channels of 3 x 3
  EXPECT_EQ(floats_sent({"", 5, 27, 9}), 2U * (5 + 27 + 1));    // 15 pairs: odd
  EXPECT_EQ(floats_sent({"", 16, 8}), 2U * (16 + 8 + 1));
  EXPECT_EQ(floats_sent({"", 30, 1}), 2U * (15 + 2 + 1));
  EXPECT_EQ(floats_sent({"", 31, 1}), 31U - 1U);  // no count: the values only
}

TEST(Atomo, ConvolutionsThatAreOfLowRankWhenFoldedAreExact) {
  // 64 pairs of rows of 18 values, all proportional: rank 1 if folded, rank 8 as a 16 x 72 matrix.
  auto gradient = normal_gradients({{"", 16, 72, 9}}, 6);
  auto& values = gradient[0].values;
  for (std::size_t i = 18; i < values.size(); ++i) {
    values[i] = values[i % 18] * static_cast<float>(i / 18 + 1);
  }
  TestExchange exchange([] { return make_compressor("atomo:rank=1"); }, 1);
  const auto out = exchange.mean({gradient})[0].values;
  const double size = squared_distance(values, std::vector<float>(values.size()));
  EXPECT_LT(squared_distance(out, values), 1e-10 * size);
}

TEST(Atomo, ABudgetForAllAtomsIsExact) {
  const auto matrix = random_matrix(7, 4, 6);
  TestExchange exchange([] { return make_compressor("atomo:rank=4"); }, 2);
  const auto out = exchange.mean({{matrix}, {matrix}});
  EXPECT_LT(squared_distance(out[0].values, matrix.values), 1e-10);
}

TEST(Atomo, ZeroHasNoAtoms) {
  TestExchange exchange([] { return make_compressor("atomo:rank=4"); }, 1);
  exchange.mean({zero_gradients({{"", 7, 4}})});
  EXPECT_EQ(exchange.phases()[0].up[0].payload().size(), 4U);
}

}  // namespace
}  // namespace terse
