// Transposition of small strided matrices, in blocks held in registers. Kernels use it to pack
// operands for tiles and to unpack results.
#pragma once

#include <cstdint>

namespace terse::kernels {

// to[j · to_step + i] = from[i · from_step + j] for i < rows, j < columns.
void transpose(std::int64_t rows, std::int64_t columns, const float* from, std::int64_t from_step,
               float* to, std::int64_t to_step);

}  // namespace terse::kernels
