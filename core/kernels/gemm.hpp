// Matrix product. Products in double are computed by OpenBLAS. Products in float are computed by
// our own kernel, or by OpenBLAS where the table of gemm/choice.hpp selects it.
#pragma once

#include <cstdint>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/real.hpp"
#include "tersegrad/core/simd/isa.hpp"

namespace terse::kernels {

enum class Transpose : bool { no, yes };

// C (M, N) = alpha op(A) op(B) + beta C, where op(A) is (M, K) and op(B) is (K, N), all row-major
// and dense. op(X) is X, or Xᵀ for Transpose::yes. Any size may be 0. If beta is 0, C is not read.
// The result does not depend on the number of threads.
void gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
          std::int64_t k, const real* a, const real* b, real beta, real* c, real alpha = 1);

// op(B) (K, N), packed once for several products at the present instruction-set level. Packing
// takes most of the time of a product with few rows of C. B must outlive the PackedMatrix, because
// products that OpenBLAS computes read B itself.
class PackedMatrix {
 public:
  PackedMatrix(Transpose transpose, std::int64_t k, std::int64_t n, const real* b);

 private:
  friend void gemm(Transpose transpose_a, std::int64_t m, const real* a, const PackedMatrix& b,
                   real beta, real* c, real alpha);
  Transpose transpose_;
  std::int64_t k_, n_;
  const real* b_;
  Isa isa_;
  Buffer<float> panels_;
  std::int64_t columns_ = 0;  // of panels_
};

// Like the product above, with op(B) packed. Throws InternalError if the level has changed
// since B was packed.
void gemm(Transpose transpose_a, std::int64_t m, const real* a, const PackedMatrix& b, real beta,
          real* c, real alpha = 1);

// y (N) = alpha · (sums of the columns of x (M, N)) + beta · y. This is the gradient of a bias.
void column_sums(std::int64_t m, std::int64_t n, const real* x, real beta, real* y, real alpha = 1);

}  // namespace terse::kernels
