// Transposition of small strided matrices, in blocks of 4x4 held in registers. What packs operands
// for tiles, or brings their results back, is a transposition.
#pragma once

#include <cstdint>

namespace terse::kernels {

struct Transposed {
  std::int64_t rows, columns;
  std::int64_t readable;  // columns that may be read: `columns`, and padding behind them
  std::int64_t writable;  // rows that may be written: `rows`, and padding behind them
};

// to[j · to_step + i] = from[i · from_step + j] for i < rows, j < columns. Padding is used to work
// in whole blocks: columns of it may be read, rows of it may be written with zeros.
void transpose(const Transposed& size, const float* from, std::int64_t from_step, float* to,
               std::int64_t to_step);

}  // namespace terse::kernels
