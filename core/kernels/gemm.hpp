// Matrix product, by OpenBLAS on one thread; large ones are cut into blocks of rows of C.
#pragma once

#include <cstdint>

#include "core/real.hpp"

namespace terse::kernels {

enum class Transpose : bool { no, yes };

// C (M, N) = op(A) op(B) + beta C, where op(A) is (M, K) and op(B) is (K, N), all row-major and
// dense. Any size may be 0.
void gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
          std::int64_t k, const real* a, const real* b, real beta, real* c);

}  // namespace terse::kernels
