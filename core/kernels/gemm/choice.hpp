// Selects the implementation of a float product: ours (own_gemm.hpp) or OpenBLAS. A static table
// decides by the level that kernels run at, the instruction set of OpenBLAS's kernels, and the
// class of the shape. Nothing is timed at run time. OpenBLAS is selected where it is at least 5 %
// faster on a CPU that it recognises:
//
//   level    kernels of OpenBLAS                 small   large   large Aᵀ
//   sse4     older: Prescott, Nehalem, …         own     BLAS    BLAS
//   sse4     AVX: Sandybridge, Bulldozer, …      BLAS    BLAS    BLAS
//   avx2     AVX2: Haswell, Zen                  own     BLAS    BLAS
//   avx512   AVX-512: SkylakeX, Cooperlake, …    own     own     BLAS
//   any other pair                               own     own     own
//
// If TERSE_ISA or --isa forces the level, our code computes every float product, so that a run is
// reproducible on every machine that has the level. OpenBLAS computes all products in double.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tersegrad/core/kernels/gemm.hpp"

namespace terse::kernels {

std::string_view blas_core();  // OpenBLAS's name of the CPU that its kernels are for: "Haswell"

// Whether OpenBLAS's kernels are for the widest level of this CPU or a wider one. An OpenBLAS
// older than the CPU falls back to "Prescott". The environment variable OPENBLAS_CORETYPE
// overrides its choice.
bool blas_knows_cpu();

// Whether OpenBLAS computes the float product op(A) (m, k) · op(B) (k, n) at the present level.
bool blas_computes(Transpose transpose_a, std::int64_t m, std::int64_t n, std::int64_t k);

std::string blas_name();  // "OpenBLAS 0.3.21 core Prescott"

// The implementation of float products at the present level, for a run's configuration:
// "own (avx512)", or "own (avx2), OpenBLAS 0.3.21 core Haswell for large ones".
std::string describe_products();

}  // namespace terse::kernels
