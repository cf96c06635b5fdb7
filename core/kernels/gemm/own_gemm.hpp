// Our own float matrix product, for every level of core/simd/isa.hpp.
#pragma once

#include <cstdint>

#include "tersegrad/core/kernels/gemm/product.hpp"

namespace terse::kernels {

// C = alpha op(A) op(B) + beta C; any size may be 0. The bits of an element of C depend on its row
// of op(A), its column of op(B) and the level alone: not on how C is cut, nor on threads.
void own_gemm(const Product& product);

// Floats of op(B) (k, n) packed at this level, and the packing. `to` serves products with the same
// k and n as Product::packed_b, as long as the level stays.
std::int64_t packed_floats(std::int64_t k, std::int64_t n);
PackedColumns pack_columns(std::int64_t k, std::int64_t n, const Operand& b, float* to);

}  // namespace terse::kernels
