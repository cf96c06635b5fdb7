// The register tile: a small matrix product whose result stays in registers.
//
//   C (rows, panel) = start + sum over t of A[., t] ⊗ B[t, .]      A is read element by element,
//                                                                   B is packed (t, panel)
//
// It is the inner loop of everything that packs its operands: convolution and its gradients. The
// sum runs over `runs` stretches of `length` elements of A, so a convolution needs no column
// buffer. A panel is one or two vectors wide; a tile has up to 12 or 6 rows, so that 12 sums are in
// flight.
#pragma once

#include <hwy/highway.h>

#include <cstdint>

namespace terse::kernels {

namespace hn = hwy::HWY_NAMESPACE;
using Lanes = hn::ScalableTag<float>;

inline constexpr int kSumsInFlight = 12;

// Floats in a panel of so many vectors.
inline std::int64_t panel_width(int vectors) {
  return vectors * static_cast<std::int64_t>(hn::Lanes(Lanes()));
}

// Vectors that a panel should have for so many columns.
inline int panel_vectors(std::int64_t columns) {
  return columns <= panel_width(1) ? 1 : 2;
}

// Where the elements of A stand: A[i, (run, t)] = a[i · row + run · run_step + t · step].
struct TileWalk {
  std::int64_t row, run_step, step;
  std::int64_t runs, length;
};

// What the sums begin with: row i at values + i · row. The bias (row = 0), or what C holds already;
// zero by default.
struct TileStart {
  const float* values = nullptr;
  std::int64_t row = 0;
};

template <int kRows, int kVectors>
HWY_INLINE void tile(const float* a, const TileWalk& walk, const float* b, const TileStart& start,
                     float* c) {
  constexpr Lanes d;
  using Vector = hn::Vec<Lanes>;
  const std::int64_t width = panel_width(1);
  Vector sum[kRows][kVectors];
  for (int i = 0; i < kRows; ++i) {
    for (int v = 0; v < kVectors; ++v) {
      sum[i][v] = start.values == nullptr ? hn::Zero(d)
                                          : hn::LoadU(d, start.values + i * start.row + v * width);
    }
  }
  for (std::int64_t run = 0; run < walk.runs; ++run) {
    const float* at = a + run * walk.run_step;
    for (std::int64_t t = 0; t < walk.length; ++t, at += walk.step, b += kVectors * width) {
      Vector panel[kVectors];
      for (int v = 0; v < kVectors; ++v) panel[v] = hn::LoadU(d, b + v * width);
      for (int i = 0; i < kRows; ++i) {
        const Vector left = hn::Set(d, at[i * walk.row]);
        for (int v = 0; v < kVectors; ++v) sum[i][v] = hn::MulAdd(left, panel[v], sum[i][v]);
      }
    }
  }
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[i][v], d, c + (i * kVectors + v) * width);
}

// The most rows that a tile of so many vectors can have.
constexpr int tile_rows(int vectors) {
  return kSumsInFlight / vectors;
}

// Any number of rows, in tiles as even as possible (10 rows are 5 + 5, not 6 + 4); C is (rows,
// panel), contiguous.
void tile(std::int64_t rows, int vectors, const float* a, const TileWalk& walk, const float* b,
          const TileStart& start, float* c);

}  // namespace terse::kernels
