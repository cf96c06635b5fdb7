// Which code computes a float product: ours (own_gemm.hpp) or OpenBLAS. One static table decides,
// by the level that kernels run at, the kernels that OpenBLAS has chosen, and the class of the
// shape; nothing is timed at run time. OpenBLAS computes what it is at least 5 % faster at on a CPU
// that it has recognised:
//
//   level    kernels of OpenBLAS                 small   large   large Aᵀ
//   sse4     AVX: Sandybridge, Bulldozer, …      BLAS    BLAS    BLAS
//   avx2     AVX2: Haswell, Zen                  own     BLAS    BLAS
//   avx512   AVX-512: SkylakeX, Cooperlake, …    own     own     BLAS
//   any other pair                               own     own     own
//
// Where TERSE_ISA or --isa forces the level it is always ours, so that a run repeats on every
// machine that has the level. Products in double are always OpenBLAS's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tersegrad/core/kernels/gemm.hpp"

namespace terse::kernels {

std::string_view blas_core();  // the CPU that OpenBLAS's kernels are for, as it names it: "Haswell"

// Whether these kernels are for the widest level of this CPU, or a wider one. An OpenBLAS that is
// older than the CPU falls back to "Prescott". OPENBLAS_CORETYPE in the environment chooses
// another.
bool blas_knows_cpu();

// Whether OpenBLAS computes op(A) (m, k) times op(B) (k, n) in float at the present level.
bool blas_computes(Transpose transpose_a, std::int64_t m, std::int64_t n, std::int64_t k);

std::string blas_name();  // "OpenBLAS 0.3.21 core Prescott"

// What computes float products at the present level, for a run's configuration: "own (avx512)", or
// "own (avx2), OpenBLAS 0.3.21 core Haswell for large ones".
std::string describe_products();

}  // namespace terse::kernels
