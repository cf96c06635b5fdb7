#include "tersegrad/core/kernels/gemm.hpp"

#include <algorithm>
#include <array>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/gemm/blas_gemm.hpp"
#include "tersegrad/core/kernels/gemm/choice.hpp"
#include "tersegrad/core/kernels/gemm/own_gemm.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse::kernels {

#ifdef TERSE_REAL_DOUBLE

void gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
          std::int64_t k, const real* a, const real* b, real beta, real* c, real alpha) {
  if (m == 0 || n == 0) return;
  if (k > 0) return blas_gemm(transpose_a, transpose_b, m, n, k, a, b, beta, c, alpha);
  for (std::int64_t i = 0; i < m * n; ++i) c[i] = beta == 0 ? 0 : beta * c[i];
}

PackedMatrix::PackedMatrix(Transpose transpose, std::int64_t k, std::int64_t n, const real* b)
    : transpose_(transpose), k_(k), n_(n), b_(b), isa_(isa()), panels_(0) {}

void gemm(Transpose transpose_a, std::int64_t m, const real* a, const PackedMatrix& b, real beta,
          real* c, real alpha) {
  gemm(transpose_a, b.transpose_, m, b.n_, b.k_, a, b.b_, beta, c, alpha);
}

#else

namespace {

// op(X) (rows, columns) of a dense row-major X.
Operand operand(Transpose t, const float* x, std::int64_t rows, std::int64_t columns) {
  return t == Transpose::yes ? Operand{x, rows, true} : Operand{x, columns, false};
}

}  // namespace

void gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
          std::int64_t k, const real* a, const real* b, real beta, real* c, real alpha) {
  if (m > 0 && n > 0 && k > 0 && blas_computes(transpose_a, m, n, k)) {
    return blas_gemm(transpose_a, transpose_b, m, n, k, a, b, beta, c, alpha);
  }
  own_gemm({.m = m,
            .n = n,
            .k = k,
            .a = operand(transpose_a, a, m, k),
            .b = operand(transpose_b, b, k, n),
            .packed_b = {},
            .alpha = alpha,
            .beta = beta,
            .c = c,
            .c_stride = n});
}

PackedMatrix::PackedMatrix(Transpose transpose, std::int64_t k, std::int64_t n, const real* b)
    : transpose_(transpose), k_(k), n_(n), b_(b), isa_(isa()), panels_(packed_floats(k, n)) {
  columns_ = pack_columns(k, n, operand(transpose, b, k, n), panels_.data()).columns;
}

void gemm(Transpose transpose_a, std::int64_t m, const real* a, const PackedMatrix& b, real beta,
          real* c, real alpha) {
  if (blas_computes(transpose_a, m, b.n_, b.k_)) {
    return gemm(transpose_a, b.transpose_, m, b.n_, b.k_, a, b.b_, beta, c, alpha);
  }
  internal_check(isa() == b.isa_, "gemm: expected a matrix packed at level {}; got level {}",
                 isa_name(isa()), isa_name(b.isa_));
  own_gemm({.m = m,
            .n = b.n_,
            .k = b.k_,
            .a = operand(transpose_a, a, m, b.k_),
            .b = {},
            .packed_b = {.data = b.panels_.data(), .columns = b.columns_, .first = 0},
            .alpha = alpha,
            .beta = beta,
            .c = c,
            .c_stride = b.n_});
}

#endif

void column_sums(std::int64_t m, std::int64_t n, const real* x, real beta, real* y, real alpha) {
  constexpr std::int64_t kStripe = 256;  // columns in a task
  constexpr std::int64_t kRows = 16;     // rows that are summed in `real`, before sums in double
  vectorized_for(n, kStripe, [=](std::int64_t begin, std::int64_t end) {
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
