// Our own float matrix product, for every level of core/simd/isa.hpp.
#pragma once

#include <cstdint>

#include "tersegrad/core/kernels/gemm/product.hpp"

namespace terse::kernels {

// C = alpha op(A) op(B) + beta C; any size may be 0. The bits of an element of C depend only
// on its row of op(A), its column of op(B), its old value and the level, not on how C is cut
// or on threads.
void own_gemm(const Product& product);

// packed_floats returns the size in floats of a buffer for op(B) (k, n), packed. pack_columns
// packs op(B) to `to`; the result is the Product::packed_b of products with the same k and n at
// the same level.
std::int64_t packed_floats(std::int64_t k, std::int64_t n);
PackedColumns pack_columns(std::int64_t k, std::int64_t n, const Operand& b, float* to);

}  // namespace terse::kernels
