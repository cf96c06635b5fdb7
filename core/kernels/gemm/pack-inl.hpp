// Packing of the operands of the float matrix product, into the order in which tiles read them.
//
//   Aᵀ, a block of rows and a chunk of k:  (panel of at most kTileRows rows, step, row)
//   B, a block of columns and a chunk:     (panel of two vectors, step, column)
//
// The last panel of B is one vector wide if that holds its columns; columns after the last are
// zero. Rows are divided evenly among panels without padding (13 rows are 7 + 6), since a tile
// exists for each number of rows. A non-transposed A is not packed.
#if defined(TERSE_CORE_KERNELS_GEMM_PACK_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_CORE_KERNELS_GEMM_PACK_INL
#undef TERSE_CORE_KERNELS_GEMM_PACK_INL
#else
#define TERSE_CORE_KERNELS_GEMM_PACK_INL
#endif

#include <hwy/cache_control.h>

#include <algorithm>
#include <cstdint>

#include "tersegrad/core/kernels/gemm/product.hpp"
#include "tersegrad/core/kernels/gemm/tile-inl.hpp"
#include "tersegrad/core/kernels/transpose.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {

// Division of rows among panels.
struct RowPanels {
  std::int64_t count, least, larger;  // the first `larger` panels have least + 1 rows
  explicit RowPanels(std::int64_t rows)
      : count((rows + kTileRows - 1) / kTileRows), least(rows / count), larger(rows % count) {}
  std::int64_t first(std::int64_t p) const { return p * least + std::min(p, larger); }
  std::int64_t rows(std::int64_t p) const { return least + (p < larger ? 1 : 0); }
};

// The width of a panel when `left` columns are left.
inline std::int64_t panel_columns(std::int64_t left) {
  return left <= kWidth ? kWidth : kPanel;
}
// The total width of all panels.
inline std::int64_t packed_columns(std::int64_t n) {
  return n / kPanel * kPanel + (n % kPanel == 0 ? 0 : panel_columns(n % kPanel));
}

// Packs a B that is not transposed. The outer loop is over steps, so memory is read in order.
inline void pack_b_rows(std::int64_t k, std::int64_t n, const float* b, std::int64_t stride,
                        float* to) {
  const std::int64_t full = n / kPanel * kPanel, rest = n - full, width = panel_columns(rest);
  float* last = to + full * k;
  for (std::int64_t t = 0; t < k; ++t, b += stride) {
    float* at = to + t * kPanel;
    for (std::int64_t j = 0; j < full; j += kPanel, at += k * kPanel) {
      hn::StoreU(hn::LoadU(kLanes, b + j), kLanes, at);
      hn::StoreU(hn::LoadU(kLanes, b + j + kWidth), kLanes, at + kWidth);
    }
    if (rest == 0) continue;
    for (std::int64_t v = 0; v < width; v += kWidth, last += kWidth)
      hn::StoreU(load_part(b + full + v, rest - v), kLanes, last);
  }
}

// Packs a chunk of k steps and n columns; b is its first element.
inline void pack_b(std::int64_t k, std::int64_t n, const Operand& b, float* to) {
  if (!b.transposed) return pack_b_rows(k, n, b.data, b.stride, to);
  for (std::int64_t j = 0; j < n; j += kPanel) {
    const std::int64_t columns = std::min(kPanel, n - j), width = panel_columns(n - j);
    if (columns < width) std::fill(to, to + k * width, 0.0F);
    transpose(columns, k, b.data + j * b.stride, b.stride, to, width);
    to += k * width;
  }
}

// Copies `rows` floats, at most kTileRows.
HWY_INLINE void copy_row(std::int64_t rows, const float* from, float* to) {
  constexpr hn::FixedTag<float, 4> four;
  if (rows == kTileRows && kTileRows == 12) {
    for (int i = 0; i < 12; i += 4) hn::StoreU(hn::LoadU(four, from + i), four, to + i);
  } else if (rows >= 4) {
    for (std::int64_t i = 0; i + 4 < rows; i += 4)
      hn::StoreU(hn::LoadU(four, from + i), four, to + i);
    hn::StoreU(hn::LoadU(four, from + rows - 4), four, to + rows - 4);
  } else {
    for (std::int64_t i = 0; i < rows; ++i) to[i] = from[i];
  }
}

// Packs a transposed A; `a` is its first element. The loop handles kSteps steps of all panels at a
// time, so that the writes to one panel fill whole cache lines. It prefetches the next steps,
// because the stride in memory is longer than the part of each row that is read.
inline void pack_a(const RowPanels& panels, std::int64_t k, const float* a, std::int64_t stride,
                   float* to) {
  constexpr std::int64_t kSteps = 8;
  for (std::int64_t t = 0; t < k; t += kSteps) {
    const std::int64_t steps = std::min(kSteps, k - t);
    const std::int64_t ahead = t + 2 * kSteps <= k ? kSteps * stride : 0;
    for (std::int64_t p = 0; p < panels.count; ++p) {
      const std::int64_t rows = panels.rows(p), first = panels.first(p);
      const float* from = a + t * stride + first;
      float* at = to + first * k + t * rows;
      for (std::int64_t s = 0; s < steps; ++s, from += stride, at += rows) {
        hwy::Prefetch(from + ahead);
        copy_row(rows, from, at);
      }
    }
  }
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
