// The matrix product by OpenBLAS, which runs on one thread: large ones are cut along the longer
// dimension of C into at most four pieces for the threads of this process.
#pragma once

#include <cstdint>

#include "tersegrad/core/kernels/gemm.hpp"

namespace terse::kernels {

// As gemm (core/kernels/gemm.hpp); no size is 0.
void blas_gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
               std::int64_t k, const real* a, const real* b, real beta, real* c, real alpha);

}  // namespace terse::kernels
