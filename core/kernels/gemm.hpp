// Matrix product: our own in float where gemm/choice.hpp does not name OpenBLAS, OpenBLAS's in
// double.
#pragma once

#include <cstdint>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/real.hpp"
#include "tersegrad/core/simd/isa.hpp"

namespace terse::kernels {

enum class Transpose : bool { no, yes };

// C (M, N) = alpha op(A) op(B) + beta C, where op(A) is (M, K) and op(B) is (K, N), all row-major
// and dense. Any size may be 0. Where beta is 0, C is not read. The result does not depend on the
// number of threads.
void gemm(Transpose transpose_a, Transpose transpose_b, std::int64_t m, std::int64_t n,
          std::int64_t k, const real* a, const real* b, real beta, real* c, real alpha = 1);

// op(B) (K, N), packed once for several products at the present level. Packing is what a product
// with few rows of C spends most of its time on. B must outlive it: products by OpenBLAS read B.
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

// As above with op(B) packed.
void gemm(Transpose transpose_a, std::int64_t m, const real* a, const PackedMatrix& b, real beta,
          real* c, real alpha = 1);

// y (N) = alpha · the sums of the columns of x (M, N) + beta y: the gradient of a bias, beside the
// product that is the gradient of its weight.
void column_sums(std::int64_t m, std::int64_t n, const real* x, real beta, real* y, real alpha = 1);

}  // namespace terse::kernels
