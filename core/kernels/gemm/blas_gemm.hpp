// The matrix product by OpenBLAS, which runs on one thread. A large product is cut along the longer
// dimension of C into at most four pieces, which run in parallel.
#pragma once

#include <cstdint>

#include "tersegrad/core/kernels/gemm.hpp"

namespace terse::kernels {

// Like gemm (core/kernels/gemm.hpp), but no size may be 0.
void blas_gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
               std::int64_t k, const real* a, const real* b, real beta, real* c, real alpha);

}  // namespace terse::kernels
