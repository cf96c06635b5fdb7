// Matrix product, by OpenBLAS on one thread; large ones are cut into blocks of rows of C.
#pragma once

#include <cstdint>

#include "core/real.hpp"

namespace terse::kernels {

enum class Transpose : bool { no, yes };

// C (M, N) = alpha op(A) op(B) + beta C, where op(A) is (M, K) and op(B) is (K, N), all row-major
// and dense. Any size may be 0. Where beta is 0, C is not read.
void gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
          std::int64_t k, const real* a, const real* b, real beta, real* c, real alpha = 1);

// y (N) = alpha · the sums of the columns of x (M, N) + beta y: the gradient of a bias, beside the
// product that is the gradient of its weight.
void column_sums(std::int64_t m, std::int64_t n, const real* x, real beta, real* y, real alpha = 1);

}  // namespace terse::kernels
