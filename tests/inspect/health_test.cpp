#include "tersegrad/inspect/health.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "tersegrad/core/random.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/inspect/spectrum.hpp"
#include "tersegrad/optim/kernels/svd.hpp"

namespace terse {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pointwise;

std::vector<float> normal_values(std::size_t count) {
  Philox random(7, {.purpose = Purpose::synthetic});
  std::vector<float> values(count);
  for (auto& value : values) value = random.normal();
  return values;
}

// sum over c of decay^c u_c v_c^T with normal u_c and v_c
std::vector<float> decaying_matrix(std::int64_t n, std::int64_t m, std::int64_t terms) {
  Philox random(8, {.purpose = Purpose::synthetic});
  std::vector<float> matrix(static_cast<std::size_t>(n * m));
  for (std::int64_t c = 0; c < terms; ++c) {
    std::vector<float> u(static_cast<std::size_t>(n)), v(static_cast<std::size_t>(m));
    for (auto* factor : {&u, &v}) {
      for (auto& value : *factor) value = random.normal();
    }
    const auto scale = static_cast<float>(std::pow(0.8, c));
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < m; ++j) {
        matrix[static_cast<std::size_t>(i * m + j)] +=
            scale * u[static_cast<std::size_t>(i)] * v[static_cast<std::size_t>(j)];
      }
    }
  }
  return matrix;
}

TEST(Spectrum, OfALargeMatrixIsThatOfItsDecomposition) {
  for (const auto& [n, m] :
       {std::pair<std::int64_t, std::int64_t>{150, 90}, {80, 300}, {33, 500}}) {
    const auto matrix = decaying_matrix(n, m, 60);
    const auto exact = kernels::svd({n, m, matrix}).s;
    const auto found = leading_singular_values({n, m, matrix}, 16, 1);
    ASSERT_EQ(found.size(), 16U);
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_LE(found[i], exact[i] * (1 + 1e-5)) << n << "x" << m << " value " << i;
      EXPECT_GE(found[i], exact[i] * (i < 12 ? 0.99 : 0.9)) << n << "x" << m << " value " << i;
    }
  }
}

TEST(Spectrum, HasNoMoreValuesThanTheMatrix) {
  const auto matrix = normal_values(6 * 40);
  EXPECT_EQ(leading_singular_values({6, 40, matrix}, 16, 1).size(), 6U);
  EXPECT_THAT(leading_singular_values({0, 3, {}}, 16, 1), IsEmpty());
}

TEST(Spectrum, OfAMatrixThatIsNotFiniteIsEmpty) {
  auto matrix = normal_values(100 * 90);
  matrix[5000] = NAN;
  EXPECT_THAT(leading_singular_values({100, 90, matrix}, 4, 1), IsEmpty());
  matrix.resize(9);
  matrix[4] = INFINITY;
  EXPECT_THAT(leading_singular_values({3, 3, matrix}, 4, 1), IsEmpty());
}

TEST(MassOfLargest, IsThatOfTheSortedValues) {
  const auto x = normal_values(10'000);
  std::vector<double> energies(x.begin(), x.end());
  double all = 0;
  for (auto& value : energies) all += value *= value;
  std::ranges::sort(energies, std::greater<>());
  const auto mass = mass_of_largest(x, kMassFractions);
  for (std::size_t f = 0; f < kMassFractions.size(); ++f) {
    double sum = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(std::lround(kMassFractions[f] * 10'000));
         ++i) {
      sum += energies[i];
    }
    EXPECT_NEAR(mass[f], sum / all, 0.02 * sum / all) << kMassFractions[f];
  }
}

TEST(MassOfLargest, OfEqualZeroOrSingleValues) {
  const std::vector<double> fractions{0.25, 0.5, 1};
  EXPECT_THAT(mass_of_largest(std::vector<float>(8, -3.0F), fractions),
              Pointwise(DoubleNear(1e-12), std::vector<double>{0.25, 0.5, 1}));
  EXPECT_THAT(mass_of_largest(std::vector<float>(8), fractions), ElementsAre(0, 0, 0));
  EXPECT_THAT(mass_of_largest({}, fractions), ElementsAre(0, 0, 0));
  std::vector<float> one(8);
  one[3] = 1e-30F;
  EXPECT_THAT(mass_of_largest(one, fractions), ElementsAre(1, 1, 1));
}

TEST(VoteMargins, CountsCoordinates) {
  EXPECT_THAT(vote_margins(std::vector<double>{3, -3, 1, -1, -1}, 3), ElementsAre(0, 3, 0, 2));
  EXPECT_THAT(vote_margins(std::vector<double>{0, 2, -2, 0}, 2), ElementsAre(2, 0, 2));
}

class Health : public testing::Test {
 protected:
  // A 2 x 2 matrix and a vector of four values.
  std::vector<ParameterInfo> tensors{{.id = 0,
                                      .name = "w",
                                      .shape = {2, 2},
                                      .offset = 0,
                                      .numel = 4,
                                      .rows = 2,
                                      .cols = 2,
                                      .kernel = 1},
                                     {.id = 1,
                                      .name = "b",
                                      .shape = {4},
                                      .offset = 4,
                                      .numel = 4,
                                      .rows = 4,
                                      .cols = 1,
                                      .kernel = 1}};
  std::vector<float> gradient{3, 0, 0, 4, 1, 0, 0, 0};
  std::vector<float> reconstruction{0, 0, 0, 4, 1, 0, 0, 0};
  std::vector<float> residual{3, 0, 0, 0, 0, 0, 0, 0};
  std::vector<double> mean{0, 0, 0, 2, 1, 1, 0, 0};
};

TEST_F(Health, OfValuesComputedByHand) {
  const auto health = measure_health(tensors,
                                     {.gradient = gradient,
                                      .encoded = gradient,
                                      .reconstruction = reconstruction,
                                      .residual = residual,
                                      .decoded = reconstruction,
                                      .true_mean = mean},
                                     1);
  ASSERT_EQ(health.size(), 3U);
  const auto& [model, w, b] = std::tie(health[0], health[1], health[2]);
  EXPECT_EQ(model.name, "");
  EXPECT_NEAR(model.gradient_norm, std::sqrt(26.0), 1e-12);
  EXPECT_NEAR(*model.contraction, 1 - 9.0 / 26, 1e-12);
  EXPECT_NEAR(*model.residual_ratio, 3 / std::sqrt(26.0), 1e-12);
  EXPECT_NEAR(*model.cosine, 9 / std::sqrt(17.0 * 6), 1e-12);
  EXPECT_FALSE(model.stable_rank);
  EXPECT_EQ(w.name, "w");
  EXPECT_NEAR(*w.contraction, 16.0 / 25, 1e-12);
  EXPECT_THAT(w.singular_values, Pointwise(DoubleNear(1e-5), std::vector<double>{4, 3}));
  EXPECT_NEAR(*w.stable_rank, 25.0 / 16, 1e-5);
  EXPECT_THAT(w.sent, ElementsAre(0, 0, 0, 1));
  EXPECT_NEAR(*w.cosine, 1, 1e-12);
  EXPECT_NEAR(*b.contraction, 1, 1e-12);
  EXPECT_NEAR(*b.residual_ratio, 0, 1e-12);
  EXPECT_FALSE(b.stable_rank);
  EXPECT_THAT(b.singular_values, IsEmpty());
}

TEST_F(Health, HasNoRatiosOfZeroGradients) {
  const std::vector<float> zeros(8);
  const auto health = measure_health(tensors,
                                     {.gradient = zeros,
                                      .encoded = zeros,
                                      .reconstruction = zeros,
                                      .residual = zeros,
                                      .decoded = zeros,
                                      .true_mean = std::vector<double>(8)},
                                     1);
  for (const auto& tensor : health) {
    EXPECT_FALSE(tensor.contraction);
    EXPECT_FALSE(tensor.residual_ratio);
    EXPECT_FALSE(tensor.cosine);
    EXPECT_FALSE(tensor.stable_rank);
  }
}

TEST_F(Health, LogsNullForWhatTheMethodDoesNotHave) {
  HealthReport report{.step = 7};
  report.tensors = measure_health(tensors, {.gradient = gradient, .encoded = gradient}, 1);
  const auto json = nlohmann::json::parse(json_text(to_json(report)));
  EXPECT_EQ(json["step"], 7);
  const auto& health = json["health"];
  EXPECT_TRUE(health["declared_contraction"].is_null());
  EXPECT_TRUE(health["margins"].is_null());
  EXPECT_TRUE(health["tensors"][0]["tensor"].is_null());
  for (const auto* key : {"residual_ratio", "contraction", "cosine", "sent"}) {
    EXPECT_TRUE(health["tensors"][1][key].is_null()) << key;
  }
  EXPECT_EQ(health["tensors"][1]["singular_values"].size(), 2U);
  report.margins = {1, 0, 3};
  EXPECT_EQ(to_json(report)["health"]["ties"], 0.25);
}

}  // namespace
}  // namespace terse
