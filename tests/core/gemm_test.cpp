// The matrix product against a sum in double, at every SIMD level of this CPU. Its bits depend
// neither on how C is cut nor on the number of threads.
#include "tersegrad/core/kernels/gemm.hpp"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tersegrad/core/kernels/gemm/choice.hpp"
#include "tersegrad/core/kernels/gemm/own_gemm.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/simd/isa.hpp"
#include "tests/core/each_level.hpp"

namespace terse::kernels {
namespace {

using Values = std::vector<float>;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class AtLevel : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override { force_isa(isa_name(GetParam())); }
  void TearDown() override { set_thread_count(threads_); }

 private:
  LevelRestorer restorer_;
  int threads_ = thread_count();
};
INSTANTIATE_TEST_SUITE_P(Gemm, AtLevel, testing::ValuesIn(available_isas()),
                         [](const auto& level) { return std::string(isa_name(level.param)); });

Values random_values(std::int64_t count, std::uint64_t seed) {
  Philox random(seed, Stream{});
  Values x(static_cast<std::size_t>(count));
  for (float& value : x) value = 2 * random.uniform() - 1;
  return x;
}

struct Case {
  std::int64_t m, n, k;
  bool ta = false, tb = false;
  float alpha = 1, beta = 0;

  std::string to_string() const {
    return std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k) +
           (ta ? ", A transposed" : "") + (tb ? ", B transposed" : "") + ", alpha " +
           std::to_string(alpha) + ", beta " + std::to_string(beta);
  }
};

struct Operands {
  explicit Operands(const Case& z)
      : a(random_values(z.m * z.k, 1)),
        b(random_values(z.k * z.n, 2)),
        c(random_values(z.m * z.n, 3)) {}
  Values a, b, c;
};

Product product_of(const Case& z, const Operands& x, float* c) {
  return {.m = z.m,
          .n = z.n,
          .k = z.k,
          .a = {x.a.data(), z.ta ? z.m : z.k, z.ta},
          .b = {x.b.data(), z.tb ? z.k : z.n, z.tb},
          .packed_b = {},
          .alpha = z.alpha,
          .beta = z.beta,
          .c = c,
          .c_stride = z.n};
}

Values multiply(const Case& z, const Operands& x) {
  Values c = x.c;
  gemm(z.ta ? Transpose::yes : Transpose::no, z.tb ? Transpose::yes : Transpose::no, z.m, z.n, z.k,
       x.a.data(), x.b.data(), z.beta, c.data(), z.alpha);
  return c;
}

// The sum in double. `bound` bounds the rounding error in float.
struct Expected {
  double value, bound;
};
Expected expected(const Case& z, const Operands& x, std::int64_t i, std::int64_t j) {
  double sum = 0, size = 0;
  for (std::int64_t t = 0; t < z.k; ++t) {
    const double a = x.a[static_cast<std::size_t>(z.ta ? t * z.m + i : i * z.k + t)];
    const double b = x.b[static_cast<std::size_t>(z.tb ? j * z.k + t : t * z.n + j)];
    sum += a * b;
    size += std::abs(a * b);
  }
  const double before = z.beta == 0 ? 0 : z.beta * x.c[static_cast<std::size_t>(i * z.n + j)];
  return {z.alpha * sum + before, 6e-8 * (4 + std::sqrt(static_cast<double>(z.k))) *
                                          (std::abs(z.alpha) * size + std::abs(before)) +
                                      1e-30};
}

void expect_product(const Case& z, const Operands& x, const Values& c) {
  for (std::int64_t i = 0; i < z.m; ++i)
    for (std::int64_t j = 0; j < z.n; ++j) {
      const Expected e = expected(z, x, i, j);
      const double value = c[static_cast<std::size_t>(i * z.n + j)];
      if (std::isfinite(e.value)) {
        ASSERT_NEAR(value, e.value, e.bound) << z.to_string() << " at " << i << ", " << j;
      } else if (std::isnan(e.value)) {
        ASSERT_TRUE(std::isnan(value)) << z.to_string() << " at " << i << ", " << j;
      } else {
        ASSERT_EQ(value, e.value) << z.to_string() << " at " << i << ", " << j;
      }
    }
}

template <class Visit>
void for_all_transposes(Case z, Visit visit) {
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      z.ta = ta;
      z.tb = tb;
      visit(z);
    }
}

std::vector<std::uint32_t> bits(const Values& x) {
  std::vector<std::uint32_t> words;
  for (const float value : x) words.push_back(std::bit_cast<std::uint32_t>(value));
  return words;
}

TEST_P(AtLevel, OddShapes) {
  for (const std::int64_t m : {1, 2, 5, 7, 13, 25, 40})
    for (const std::int64_t n : {1, 3, 4, 8, 10, 15, 17, 31, 33, 70})
      for (const std::int64_t k : {1, 2, 3, 4, 9, 65})
        for_all_transposes({m, n, k}, [](const Case& z) {
          const Operands x(z);
          expect_product(z, x, multiply(z, x));
        });
}

TEST_P(AtLevel, AlphaAndBeta) {
  for (const float alpha : {1.0F, -0.75F, 0.0F})
    for (const float beta : {0.0F, 1.0F, 0.5F, -3.0F})
      for (const auto& [m, n, k] : {std::array{37, 45, 21}, std::array{9, 5, 800}})
        for_all_transposes({m, n, k, false, false, alpha, beta}, [](const Case& z) {
          const Operands x(z);
          expect_product(z, x, multiply(z, x));
        });
}

// Several blocks, chunks of k and pieces. A large Aᵀ is packed.
TEST_P(AtLevel, LargeShapes) {
  for (const auto& [m, n, k] : {std::array{350, 70, 401}, std::array{64, 500, 390}})
    for_all_transposes({m, n, k, false, false, 1, 1}, [](const Case& z) {
      const Operands x(z);
      expect_product(z, x, multiply(z, x));
    });
}

TEST_P(AtLevel, EmptyShapes) {
  for (const auto& [m, n] : {std::array{0, 5}, std::array{5, 0}, std::array{0, 0}}) {
    const Case z{m, n, 3};
    multiply(z, Operands(z));
  }
  Case z{3, 5, 0, false, false, 1, 0.5F};
  const Operands x(z);
  const Values c = multiply(z, x);
  for (std::size_t i = 0; i < c.size(); ++i) EXPECT_EQ(c[i], 0.5F * x.c[i]);
  z.beta = 0;
  Operands nans(z);
  nans.c.assign(nans.c.size(), kNan);
  EXPECT_EQ(multiply(z, nans), Values(15, 0.0F));
}

TEST_P(AtLevel, BetaZeroDoesNotReadC) {
  for (const auto& [m, n, k] : {std::array{13, 45, 9}, std::array{30, 10, 900}})
    for_all_transposes({m, n, k}, [](const Case& z) {
      Operands x(z);
      x.c.assign(x.c.size(), kNan);
      expect_product(z, x, multiply(z, x));
    });
}

// One special value in A, B or C; some factors are zero: 0 · NaN and 0 · ∞ are NaN.
TEST_P(AtLevel, NanAndInfinityPropagate) {
  for (const float special : {kNan, kInfinity, -kInfinity})
    for (const auto& [m, n, k] : {std::array{13, 37, 11}, std::array{3, 10, 500}})
      for_all_transposes({m, n, k, false, false, 1, 1}, [&](const Case& z) {
        Operands x(z);
        for (std::size_t i = 0; i < x.b.size(); i += 3) x.b[i] = 0;
        x.a[x.a.size() / 2] = special;
        x.b.back() = special;
        x.c.front() = special;
        expect_product(z, x, multiply(z, x));
      });
}

// Blocks of C at unaligned places, each computed alone, have the same bits as the whole product.
TEST_P(AtLevel, BitsDoNotDependOnCuts) {
  for (const auto& [m, n, k] : {std::array{90, 101, 777}, std::array{343, 70, 400}})
    for_all_transposes({m, n, k, false, false, 0.3F, 0.7F}, [](const Case& z) {
      const Operands x(z);
      Values whole = x.c;
      own_gemm(product_of(z, x, whole.data()));
      for (const std::int64_t rows : {std::int64_t{1}, std::int64_t{5}, std::int64_t{29}, z.m})
        for (const std::int64_t columns : {std::int64_t{3}, std::int64_t{19}, std::int64_t{50}}) {
          Values c = x.c;
          const Product product = product_of(z, x, c.data());
          for (std::int64_t i = 0; i < z.m; i += rows)
            for (std::int64_t j = 0; j < z.n; j += columns)
              own_gemm(product.block(i, std::min(rows, z.m - i), j, std::min(columns, z.n - j)));
          ASSERT_EQ(bits(c), bits(whole)) << z.to_string() << " by " << rows << " x " << columns;
        }
    });
}

TEST_P(AtLevel, BitsDoNotDependOnThreads) {
  for (const auto& [m, n, k] : {std::array{130, 200, 300}, std::array{700, 66, 600}})
    for_all_transposes({m, n, k, false, false, 1, 1}, [](const Case& z) {
      const Operands x(z);
      set_thread_count(1);
      const Values one = multiply(z, x);
      set_thread_count(2);
      EXPECT_EQ(bits(multiply(z, x)), bits(one)) << z.to_string();
    });
}

TEST_P(AtLevel, PackedMatrixGivesTheSameBits) {
  for (const auto& [m, n, k] : {std::array{7, 75, 50}, std::array{40, 500, 801}})
    for_all_transposes({m, n, k, false, false, 2, 1}, [](const Case& z) {
      const Operands x(z);
      const PackedMatrix b(z.tb ? Transpose::yes : Transpose::no, z.k, z.n, x.b.data());
      Values c = x.c;
      gemm(z.ta ? Transpose::yes : Transpose::no, z.m, x.a.data(), b, z.beta, c.data(), z.alpha);
      EXPECT_EQ(bits(c), bits(multiply(z, x))) << z.to_string();
    });
}

TEST_P(AtLevel, ForcedLevelNeverUsesOpenBlas) {
  for (const std::int64_t size : {1, 100, 1000, 10'000})
    for (const auto t : {Transpose::no, Transpose::yes})
      EXPECT_FALSE(blas_computes(t, size, size, size));
  EXPECT_EQ(describe_products(), "own (" + std::string(isa_name(isa())) + ")");
}

TEST_P(AtLevel, ColumnSums) {
  const std::int64_t m = 37, n = 300;
  const Values x = random_values(m * n, 4), before = random_values(n, 5);
  Values y = before;
  column_sums(m, n, x.data(), 0.5F, y.data(), 2);
  for (std::int64_t j = 0; j < n; ++j) {
    double sum = 0;
    for (std::int64_t i = 0; i < m; ++i) sum += x[static_cast<std::size_t>(i * n + j)];
    const auto at = static_cast<std::size_t>(j);
    EXPECT_NEAR(y[at], 2 * sum + 0.5 * before[at], 1e-5);
  }
}

// The products are sums of fused multiply-adds in one order, so the width of vectors has no effect.
TEST(Gemm, LevelsWithFusedMultiplyAddAgree) {
  const Case z{50, 61, 500, true, true, 0.9F, 0.2F};
  const Operands x(z);
  std::vector<std::vector<std::uint32_t>> results;
  const LevelRestorer restorer;
  for (const Isa level : available_isas()) {
    if (level == Isa::sse4) continue;
    force_isa(isa_name(level));
    results.push_back(bits(multiply(z, x)));
  }
  for (const auto& result : results) EXPECT_EQ(result, results.front());
}

TEST(Gemm, ChoiceIsDescribed) {
  EXPECT_EQ(blas_name().find("OpenBLAS "), 0U) << blas_name();
  EXPECT_NE(blas_name().find(blas_core()), std::string::npos) << blas_name();
  const std::string line = describe_products();
  EXPECT_TRUE(line.find("own (") == 0 || line == blas_name()) << line;
  if (!blas_knows_cpu() && !isa_is_forced()) {
    // OpenBLAS computes large products only at SSE4, where even its oldest kernels are faster than
    // ours.
    const bool sse4 = isa() == Isa::sse4;
    EXPECT_EQ(line == "own (" + std::string(isa_name(isa())) + ")", !sse4) << line;
    EXPECT_EQ(blas_computes(Transpose::yes, 10'000, 10'000, 10'000), sse4);
  }
}

}  // namespace
}  // namespace terse::kernels
