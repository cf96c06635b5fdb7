// The register tile: a small matrix product whose result stays in registers.
//
//   C (rows, panel) = start + sum over t of A[., t] ⊗ B[t, .]      A is read element by element,
//                                                                   B is packed (t, panel)
//
// It is the inner loop of everything that packs its operands: convolution and its gradients. Where
// the rows and the steps of A stand is told by a stride or by a list, so a convolution needs no
// column buffer. A panel is one or two vectors of the level that kernels run at
// (core/simd/isa.hpp).
#pragma once

#include <cstdint>

namespace terse::kernels {

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Floats of a vector at this level.
std::int64_t vector_width();

// Floats in a panel of so many vectors.
inline std::int64_t panel_width(int vectors) {
  return vectors * vector_width();
}

// Vectors that a panel should have for so many columns.
inline int panel_vectors(std::int64_t columns) {
  return columns <= panel_width(1) ? 1 : 2;
}

// A[i, t] = a[place of row i + place of step t]; row i of C is panel number `target` of c.
struct EvenRows {
  std::int64_t row;
  std::int64_t place(std::int64_t i) const { return i * row; }
  std::int64_t target(std::int64_t i) const { return i; }
};
struct AdjacentRows {  // even ones, one float apart: A is a transposed matrix
  std::int64_t place(std::int64_t i) const { return i; }
  std::int64_t target(std::int64_t i) const { return i; }
};
struct ListedRows {
  const std::int32_t *places, *targets;
  std::int64_t place(std::int64_t i) const { return places[i]; }
  std::int64_t target(std::int64_t i) const { return targets[i]; }
};

// Step (run, t) stands at run · run_step + t · step.
struct EvenSteps {
  std::int64_t step, length;
  std::int64_t run_step = 0, runs = 1;
};
struct ListedSteps {
  const std::int32_t* places;
  std::int64_t count;
};

// What the sums begin with: C itself, or `values` (the bias, the same for all rows), or zero.
struct TileStart {
  const float* values = nullptr;
  bool add = false;
};

// Any number of rows, in tiles as even as possible (10 rows are 5 + 5, not 6 + 4).
void tile(std::int64_t rows, int vectors, const float* a, const EvenRows& where,
          const EvenSteps& steps, const float* b, const TileStart& start, float* c);
void tile(std::int64_t rows, int vectors, const float* a, const AdjacentRows& where,
          const EvenSteps& steps, const float* b, const TileStart& start, float* c);
void tile(std::int64_t rows, int vectors, const float* a, const ListedRows& where,
          const EvenSteps& steps, const float* b, const TileStart& start, float* c);
void tile(std::int64_t rows, int vectors, const float* a, const AdjacentRows& where,
          const ListedSteps& steps, const float* b, const TileStart& start, float* c);
// Panels of one vector.
void tile(std::int64_t rows, const float* a, const ListedRows& where, const ListedSteps& steps,
          const float* b, const TileStart& start, float* c);

// The same with rows that begin with a number each, and with panels of pixels: row t of the panel,
// two vectors, stands where it is in an image, the second vector `second` floats behind the first.
//
//   C[i, .] = values[i] + sum over (run, t) of A[i, (run, t)] · b[run · run_step + place of t, .]
//
// A is (row, (run, t)), contiguous; values may be nullptr for zeros. Vector v of row i of C is
// stored where it belongs in an image, the first columns[v] floats of it. At most kPixelRows rows.
inline constexpr std::int64_t kPixelRows = 6;
struct PixelSteps {
  ListedSteps run;
  std::int64_t run_step, runs, second;
};
struct PixelTarget {
  float* c;
  std::int64_t row, second;  // from row to row, from the first vector to the second
  std::int64_t columns[2];   // at most a vector each; of the second perhaps none
};
void tile_of_pixels(std::int64_t rows, const float* a, const EvenRows& where,
                    const PixelSteps& steps, const float* b, const float* values,
                    const PixelTarget& to);

// Sums over pixels, lane by lane, for the weight gradient of a convolution with few output
// channels:
//
//   sums[k, s, .] += over rows p and vectors of pixels q of  dy[k, p, q] · x[p, q + s]
//
// A row of dy has `columns` pixels. Rows of x are x_row apart, those of dy dy_row; channels of dy
// are `channel` apart, those of the sums sums_row.
struct TapPixels {
  std::int64_t rows, columns, x_row, dy_row, channel, sums_row;
};
void tile_of_taps(std::int64_t channels, std::int64_t taps, const TapPixels& pixels, const float* x,
                  const float* dy, float* sums);

}  // namespace terse::kernels
