// The register tile: a small matrix product whose result stays in registers.
//
//   C (rows, panel) = start + sum over t of A[., t] ⊗ B[t, .]
//
//   A is read element by element; B is packed as (t, panel).
//
// It is the inner loop of the kernels that pack their operands: convolution with its gradients, and
// LSTM. The positions of the rows and the steps of A are given by a stride or by a list, so a
// convolution needs no column buffer. A panel is one or two vectors wide, at the level that kernels
// run at (core/simd/isa.hpp).
#pragma once

#include <cstdint>

namespace terse::kernels {

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Floats in a vector at the present level.
std::int64_t vector_width();

// Floats in a row of a panel of `vectors` vectors.
inline std::int64_t panel_width(int vectors) {
  return vectors * vector_width();
}

// The number of vectors of a panel for a matrix of `columns` columns: 1 if they fit in one
// vector, otherwise 2.
inline int panel_vectors(std::int64_t columns) {
  return columns <= panel_width(1) ? 1 : 2;
}

// A[i, t] = a[place(row i) + place(step t)].
// Row i of C is row target(i) of c, which has rows of one panel.
struct EvenRows {
  std::int64_t row;
  std::int64_t place(std::int64_t i) const { return i * row; }
  std::int64_t target(std::int64_t i) const { return i; }
};
struct AdjacentRows {  // rows one float apart: A is a transposed matrix
  std::int64_t place(std::int64_t i) const { return i; }
  std::int64_t target(std::int64_t i) const { return i; }
};
struct ListedRows {
  const std::int32_t *places, *targets;
  std::int64_t place(std::int64_t i) const { return places[i]; }
  std::int64_t target(std::int64_t i) const { return targets[i]; }
};

// Step (run, t) is at place run · run_step + t · step, for run < runs and t < length.
struct EvenSteps {
  std::int64_t step, length;
  std::int64_t run_step = 0, runs = 1;
};
struct ListedSteps {
  const std::int32_t* places;
  std::int64_t count;
};

// Initial value of the sums: C if `add`; otherwise `values`, one panel (the bias) for all rows;
// zero if `values` is null.
struct TileStart {
  const float* values = nullptr;
  bool add = false;
};

// Any number of rows. They are divided into tiles as evenly as possible: 10 rows are 5 + 5,
// not 6 + 4.
void tile(std::int64_t rows, int vectors, const float* a, const EvenRows& where,
          const EvenSteps& steps, const float* b, const TileStart& start, float* c);
void tile(std::int64_t rows, int vectors, const float* a, const AdjacentRows& where,
          const EvenSteps& steps, const float* b, const TileStart& start, float* c);
void tile(std::int64_t rows, int vectors, const float* a, const ListedRows& where,
          const EvenSteps& steps, const float* b, const TileStart& start, float* c);
void tile(std::int64_t rows, int vectors, const float* a, const AdjacentRows& where,
          const ListedSteps& steps, const float* b, const TileStart& start, float* c);
// For panels of one vector.
void tile(std::int64_t rows, const float* a, const ListedRows& where, const ListedSteps& steps,
          const float* b, const TileStart& start, float* c);

// A tile whose panel holds pixels and reads them in place from an image. Row t of the panel is two
// vectors of pixels; the second begins `second` floats after the first.
//
//   C[i, .] = values[i] + sum over (run, t) of A[i, (run, t)] · b[run · run_step + places[t], .]
//
// A is (row, (run, t)), each row contiguous. If `values` is null the sums begin with zero. The
// first columns[v] floats of vector v of row i of C are stored in an output image. `rows` is from
// 1 to kPixelRows.
inline constexpr std::int64_t kPixelRows = 6;
struct PixelSteps {
  ListedSteps run;
  std::int64_t run_step, runs, second;
};
struct PixelTarget {
  float* c;
  std::int64_t row, second;  // strides: row to row, first to second vector
  std::int64_t columns[2];   // at most one vector each; the second may be 0
};
void tile_of_pixels(std::int64_t rows, const float* a, const EvenRows& where,
                    const PixelSteps& steps, const float* b, const float* values,
                    const PixelTarget& to);

// Sums over pixels, lane by lane, for the weight gradient of a convolution with few
// output channels:
//
//   sums[k, s, .] += over rows p and vectors of pixels q of  dy[k, p, q] · x[p, q + s]
//
// A row of dy has `columns` pixels. The strides are x_row between rows of x, dy_row between rows of
// dy, `channel` between channels of dy and sums_row between channels of the sums.
struct TapPixels {
  std::int64_t rows, columns, x_row, dy_row, channel, sums_row;
};
void tile_of_taps(std::int64_t channels, std::int64_t taps, const TapPixels& pixels, const float* x,
                  const float* dy, float* sums);

}  // namespace terse::kernels
