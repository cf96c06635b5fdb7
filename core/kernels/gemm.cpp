#include "core/kernels/gemm.hpp"

#include <cblas.h>

#include <algorithm>
#include <array>

#include "core/parallel.hpp"

namespace terse::kernels {
namespace {

// OpenBLAS's own threads would compete with the worker's: it is told once to use none.
void use_one_thread() {
  static const bool done = (openblas_set_num_threads(1), true);
  static_cast<void>(done);
}

CBLAS_TRANSPOSE cblas(Transpose t) {
  return t == Transpose::yes ? CblasTrans : CblasNoTrans;
}

[[maybe_unused]] void call(Transpose ta, Transpose tb, int m, int n, int k, float alpha,
                           const float* a, int lda, const float* b, int ldb, float beta, float* c) {
  cblas_sgemm(CblasRowMajor, cblas(ta), cblas(tb), m, n, k, alpha, a, lda, b, ldb, beta, c, n);
}
[[maybe_unused]] void call(Transpose ta, Transpose tb, int m, int n, int k, double alpha,
                           const double* a, int lda, const double* b, int ldb, double beta,
                           double* c) {
  cblas_dgemm(CblasRowMajor, cblas(ta), cblas(tb), m, n, k, alpha, a, lda, b, ldb, beta, c, n);
}

// Rows of C in one piece: about 4 MFLOP, a multiple of 16.
std::int64_t row_grain(std::int64_t n, std::int64_t k) {
  const std::int64_t rows = 2'000'000 / (n * k) + 1;
  return (rows + 15) / 16 * 16;
}

}  // namespace

void gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
          std::int64_t k, const real* a, const real* b, real beta, real* c, real alpha) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    for (std::int64_t i = 0; i < m * n; ++i) c[i] = beta == 0 ? 0 : beta * c[i];
    return;
  }
  use_one_thread();
  const bool ta = transpose_a == Transpose::yes;
  const bool tb = transpose_b == Transpose::yes;
  const auto lda = static_cast<int>(ta ? m : k);
  const auto ldb = static_cast<int>(tb ? k : n);
  parallel_for(m, row_grain(n, k), [&](std::int64_t begin, std::int64_t end) {
    call(transpose_a, transpose_b, static_cast<int>(end - begin), static_cast<int>(n),
         static_cast<int>(k), alpha, a + begin * (ta ? 1 : k), lda, b, ldb, beta, c + begin * n);
  });
}

void column_sums(std::int64_t m, std::int64_t n, const real* x, real beta, real* y, real alpha) {
  constexpr std::int64_t kStripe = 256;  // columns of a task
  constexpr std::int64_t kRows = 16;     // summed in `real`, the sums of them in double
  parallel_for(n, kStripe, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t width = end - begin;
    std::array<real, kStripe> block;
    std::array<double, kStripe> sums{};
    for (std::int64_t first = 0; first < m; first += kRows) {
      std::fill_n(block.data(), width, real{0});
      for (std::int64_t i = first; i < std::min(m, first + kRows); ++i) {
        const real* row = x + i * n + begin;
        for (std::int64_t j = 0; j < width; ++j) block[static_cast<std::size_t>(j)] += row[j];
      }
      for (std::int64_t j = 0; j < width; ++j) {
        sums[static_cast<std::size_t>(j)] +=
            static_cast<double>(block[static_cast<std::size_t>(j)]);
      }
    }
    for (std::int64_t j = 0; j < width; ++j) {
      const auto sum = alpha * static_cast<real>(sums[static_cast<std::size_t>(j)]);
      y[begin + j] = beta == 0 ? sum : sum + beta * y[begin + j];
    }
  });
}

}  // namespace terse::kernels
