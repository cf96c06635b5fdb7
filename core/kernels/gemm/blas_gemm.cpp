#include "tersegrad/core/kernels/gemm/blas_gemm.hpp"

#include <cblas.h>

#include <algorithm>

#include "tersegrad/core/kernels/gemm/blas_call.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse::kernels {
namespace {

CBLAS_TRANSPOSE cblas(Transpose t) {
  return t == Transpose::yes ? CblasTrans : CblasNoTrans;
}

[[maybe_unused]] void call(Transpose ta, Transpose tb, int m, int n, int k, float alpha,
                           const float* a, int lda, const float* b, int ldb, float beta, float* c,
                           int ldc) {
  cblas_sgemm(CblasRowMajor, cblas(ta), cblas(tb), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
[[maybe_unused]] void call(Transpose ta, Transpose tb, int m, int n, int k, double alpha,
                           const double* a, int lda, const double* b, int ldb, double beta,
                           double* c, int ldc) {
  cblas_dgemm(CblasRowMajor, cblas(ta), cblas(tb), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

// C is cut along its longer dimension into at most kPieces pieces of at least 3 MFLOP. They are
// few, because every piece packs the whole of the other operand again.
constexpr std::int64_t kPieces = 4;

std::int64_t piece_size(std::int64_t longer, std::int64_t products) {
  const std::int64_t pieces = std::clamp<std::int64_t>(products / 1'500'000, 1, kPieces);
  return ((longer + pieces - 1) / pieces + 15) / 16 * 16;
}

}  // namespace

void blas_gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
               std::int64_t k, const real* a, const real* b, real beta, real* c, real alpha) {
  const bool ta = transpose_a == Transpose::yes;
  const bool tb = transpose_b == Transpose::yes;
  const auto lda = static_cast<int>(ta ? m : k);
  const auto ldb = static_cast<int>(tb ? k : n);
  const auto piece = [&](std::int64_t i, std::int64_t rows, std::int64_t j, std::int64_t columns) {
    const BlasCall guard;
    call(transpose_a, transpose_b, static_cast<int>(rows), static_cast<int>(columns),
         static_cast<int>(k), alpha, a + i * (ta ? 1 : k), lda, b + j * (tb ? k : 1), ldb, beta,
         c + i * n + j, static_cast<int>(n));
  };
  const std::int64_t size = piece_size(std::max(m, n), m * n * k);
  if (m >= n) {
    parallel_for(m, size, [&](std::int64_t i, std::int64_t end) { piece(i, end - i, 0, n); });
  } else {
    parallel_for(n, size, [&](std::int64_t j, std::int64_t end) { piece(0, m, j, end - j); });
  }
}

}  // namespace terse::kernels
