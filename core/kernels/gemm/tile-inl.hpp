// The register tile of the float matrix product.
//
//   for each step t of k, in ascending order
//     panel[v] = B[t, vector v]                          v < kVectors
//     sum[i][v] = fma(A[i, t], panel[v], sum[i][v])      i < kRows
//   C[i, v] = fma(beta, C[i, v], alpha · sum[i][v])      beta 0: alpha · sum[i][v]
//
// Every element of C is computed by exactly these operations, whatever tile it belongs to, so the
// bits of a product do not depend on how C is cut. SSE4 has no fma: every tile multiplies and adds
// instead. Columns that do not fill a vector are loaded and stored partially.
//
// A is read by rows (A[i, t] at i · stride + t) or by columns (at t · step + i: packed panels and
// unpacked Aᵀ). kRows x 2 sums fill the registers: 12 x 2 of 32, 6 x 2 of 16. The layout is that of
// Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34(3), 2008.
#if defined(TERSE_CORE_KERNELS_GEMM_TILE_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_CORE_KERNELS_GEMM_TILE_INL
#undef TERSE_CORE_KERNELS_GEMM_TILE_INL
#else
#define TERSE_CORE_KERNELS_GEMM_TILE_INL
#endif

#include <hwy/cache_control.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "tersegrad/core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {

// The maximum number of rows of a tile: 12 with the 32 vector registers of AVX-512 and NEON, 6 with
// the 16 of SSE4 and AVX2.
inline constexpr int kTileRows =
    HWY_ARCH_ARM_A64 || (HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3) ? 12 : 6;
inline constexpr std::int64_t kPanel = 2 * kWidth;  // columns of a tile of two vectors

struct Tile {
  std::int64_t k;
  const float* a = nullptr;
  std::int64_t a_step = 0;  // by rows: stride of rows; by columns: stride of steps
  const float* b = nullptr;
  std::int64_t b_step = 0;  // stride of steps
  float* c = nullptr;
  std::int64_t c_stride = 0, columns = 0;
  float alpha = 1, beta = 0;
};

// The new value of C from a sum and the old value. No other code computes it, so all tiles
// round alike.
HWY_INLINE FloatVector result(FloatVector sum, FloatVector alpha) {
  return hn::Mul(sum, alpha);
}
HWY_INLINE FloatVector result(FloatVector sum, FloatVector alpha, FloatVector beta,
                              FloatVector old) {
  return hn::MulAdd(old, beta, hn::Mul(sum, alpha));
}

// Calls body(std::integral_constant i) for i < kCount. The compiler unrolls a loop too late to keep
// an array of sums in registers from the first step to the last.
template <int... kI, class Body>
HWY_INLINE void unroll(std::integer_sequence<int, kI...>, Body body) {
  (body(std::integral_constant<int, kI>()), ...);
}
#define TERSE_INLINE_LAMBDA __attribute__((always_inline))

template <int kRows, int kVectors>
using Sums = FloatVector[kRows][kVectors];

// Adds all steps to the sums. One pointer serves three rows of A, which needs fewer registers than
// one for each row.
template <int kRows, int kVectors, bool kByRows>
HWY_INLINE void add_steps(const Tile& tile, Sums<kRows, kVectors>& sum) {
  constexpr std::make_integer_sequence<int, kRows> rows;
  constexpr int kGroups = kByRows ? (kRows + 2) / 3 : 1;
  const std::int64_t a_step = tile.a_step, b_step = tile.b_step;
  const float *a[kGroups], *b = tile.b;
  a[0] = tile.a;
  for (int g = 1; g < kGroups; ++g) a[g] = a[g - 1] + 3 * a_step;
  for (std::int64_t t = 0; t < tile.k; ++t, b += b_step) {
    FloatVector panel[2];
    panel[0] = hn::LoadU(kLanes, b);
    if constexpr (kVectors == 2) panel[1] = hn::LoadU(kLanes, b + kWidth);
    unroll(rows, [&](auto i) TERSE_INLINE_LAMBDA {
      const FloatVector left = hn::Set(kLanes, kByRows ? a[i / 3][i % 3 * a_step] : a[0][i]);
      sum[i][0] = hn::MulAdd(left, panel[0], sum[i][0]);
      if constexpr (kVectors == 2) sum[i][1] = hn::MulAdd(left, panel[1], sum[i][1]);
    });
    for (int g = 0; g < kGroups; ++g) a[g] += kByRows ? 1 : a_step;
  }
}

// Stores a tile whose columns do not fill its vectors; sums (rows, vectors).
inline HWY_NOINLINE void finish_part(const Tile& tile, int rows, int vectors, const float* sums) {
  const FloatVector alpha = hn::Set(kLanes, tile.alpha), beta = hn::Set(kLanes, tile.beta);
  for (int i = 0; i < rows; ++i) {
    for (int v = 0; v < vectors; ++v, sums += kWidth) {
      const std::int64_t count = tile.columns - v * kWidth;
      float* c = tile.c + i * tile.c_stride + v * kWidth;
      const FloatVector sum = hn::Load(kLanes, sums);
      store_part(
          tile.beta == 0 ? result(sum, alpha) : result(sum, alpha, beta, load_part(c, count)), c,
          count);
    }
  }
}

template <int kRows, int kVectors, bool kByRows>
void run_tile(const Tile& tile) {
  constexpr std::make_integer_sequence<int, kRows> rows;
  constexpr int kLast = kVectors - 1;
  Sums<kRows, kVectors> sum;
  const bool prefetch = tile.k >= 32;  // with fewer steps the line would arrive too late
  unroll(rows, [&](auto i) TERSE_INLINE_LAMBDA {
    if (prefetch) {
      hwy::Prefetch(tile.c + i * tile.c_stride);
      if constexpr (kPanel > 16) hwy::Prefetch(tile.c + i * tile.c_stride + tile.columns - 1);
    }
    for (int v = 0; v < kVectors; ++v) sum[i][v] = hn::Zero(kLanes);
  });
  add_steps<kRows, kVectors, kByRows>(tile, sum);

  if (!kFastMasks && tile.columns < kVectors * kWidth) {
    HWY_ALIGN float sums[kRows * kVectors * kWidth];
    unroll(rows, [&](auto i) TERSE_INLINE_LAMBDA {
      for (int v = 0; v < kVectors; ++v)
        hn::Store(sum[i][v], kLanes, sums + (i * kVectors + v) * kWidth);
    });
    return finish_part(tile, kRows, kVectors, sums);
  }
  const FloatVector alpha = hn::Set(kLanes, tile.alpha), beta = hn::Set(kLanes, tile.beta);
  const auto mask = hn::FirstN(kLanes, static_cast<std::size_t>(tile.columns - kLast * kWidth));
  const bool add = tile.beta != 0;
  const std::int64_t c_stride = tile.c_stride;
  float* c = tile.c;
  unroll(rows, [&](auto i) TERSE_INLINE_LAMBDA {
    for (int v = 0; v < kVectors; ++v) {
      float* at = c + v * kWidth;
      if (kFastMasks && v == kLast) {
        hn::BlendedStore(add ? result(sum[i][v], alpha, beta, hn::MaskedLoad(mask, kLanes, at))
                             : result(sum[i][v], alpha),
                         mask, kLanes, at);
      } else {
        hn::StoreU(
            add ? result(sum[i][v], alpha, beta, hn::LoadU(kLanes, at)) : result(sum[i][v], alpha),
            kLanes, at);
      }
    }
    c += c_stride;
  });
}

// One function for each number of rows, from 1 to kTileRows.
using RunTile = void (*)(const Tile&);
using TileTable = std::array<RunTile, kTileRows>;
template <int kVectors, bool kByRows, int... kRowsMinus1>
constexpr TileTable tile_table(std::integer_sequence<int, kRowsMinus1...>) {
  return {run_tile<kRowsMinus1 + 1, kVectors, kByRows>...};
}
template <int kVectors, bool kByRows>
constexpr TileTable tile_table() {
  return tile_table<kVectors, kByRows>(std::make_integer_sequence<int, kTileRows>());
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
