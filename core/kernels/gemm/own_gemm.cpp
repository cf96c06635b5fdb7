// The float matrix product, packed and cut into blocks that stay in the caches:
//
//   pieces of C, in parallel                    at most kPieces, of kPieceWork or more
//     columns in even blocks <= kBlockColumns   or kBlockColumnsOfPackedA
//       k in even chunks <= kChunk              pack the block of op(B)
//         rows in even blocks <= kBlockRows     pack the block of op(A) where it is a large Aᵀ
//           panels of two vectors of columns
//             tiles of kTileRows rows           tile-inl.hpp
//
// Chunks depend on k alone, and the other loops only decide where a tile begins. An element of C
// therefore has the same bits however C is cut, on any number of threads, and at AVX2, AVX-512 and
// NEON alike. If C has few rows, B is read in place. Operands that do not fit in a cache are
// packed, because a tile reads them again for every panel.
//
// The blocking follows Goto and van de Geijn, "Anatomy of high-performance matrix multiplication",
// ACM TOMS 34(3), 2008: a panel of B (kChunk x two vectors) stays in the L1 cache, a block of A or
// B (up to 600 kB) in the L2 cache.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/core/kernels/gemm/own_gemm.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/core/kernels/gemm/own_gemm.hpp"

#include <algorithm>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/kernels/gemm/pack-inl.hpp"
#include "tersegrad/core/kernels/gemm/tile-inl.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

constexpr std::int64_t kChunk = 384;  // maximum length of a chunk of k; the same at every level
constexpr std::int64_t kBlockRows = 336;
constexpr std::int64_t kBlockColumns = 384;
constexpr std::int64_t kBlockColumnsOfPackedA = 1024;  // each block packs Aᵀ again
constexpr std::int64_t kRowsWorthPacking = 37;         // rows of C, to pack a B as stored
constexpr std::int64_t kSizeWorthPacking = 100'000;    // m k, to pack Aᵀ
constexpr std::int64_t kColumnsWorthPacking = 64;      // columns of C, to pack Aᵀ

// The size of equal parts of n, at most `most` and a multiple of `unit`; the last part may be
// smaller. `most` is a multiple of `unit`.
std::int64_t even_part(std::int64_t n, std::int64_t most, std::int64_t unit) {
  const std::int64_t parts = (n + most - 1) / most;
  return ((n + parts - 1) / parts + unit - 1) / unit * unit;
}

// A block of op(B) as tiles read it: panels of two vectors, then a partial panel.
struct ColumnPanels {
  const float* full;
  std::int64_t panel_stride, step;  // strides: panel to panel, step to step
  const float* last;                // packed
};

// Columns [j, j + columns) and steps [t, t + steps).
struct Block {
  std::int64_t j, columns, t, steps;
};

class Multiplication {
 public:
  explicit Multiplication(const Product& z)
      : z_(z),
        chunk_(even_part(z.k, kChunk, 1)),
        block_rows_(even_part(z.m, kBlockRows, kTileRows)),
        packs_a_(z.a.transposed && z.n >= kColumnsWorthPacking && z.m * z.k >= kSizeWorthPacking),
        block_columns_(even_part(z.n, packs_a_ ? kBlockColumnsOfPackedA : kBlockColumns, kPanel)),
        packs_b_(z.packed_b.data == nullptr && (z.b.transposed || z.m >= kRowsWorthPacking)),
        floats_b_(columns_to_pack() * chunk_),
        scratch_(floats_b_ + (packs_a_ ? std::min(z.m, block_rows_) * chunk_ : 0)) {}

  void run() {
    for (std::int64_t j = 0; j < z_.n; j += block_columns_) {
      for (std::int64_t t = 0; t < z_.k; t += chunk_) {
        const Block block{j, std::min(block_columns_, z_.n - j), t, std::min(chunk_, z_.k - t)};
        const ColumnPanels panels = column_panels(block);
        for (std::int64_t i = 0; i < z_.m; i += block_rows_)
          multiply(panels, block, i, std::min(block_rows_, z_.m - i));
      }
    }
  }

 private:
  std::int64_t columns_to_pack() const {
    if (z_.packed_b.data != nullptr) return 0;
    return packs_b_ ? packed_columns(std::min(z_.n, block_columns_)) : kPanel;
  }
  float* packed_b() { return scratch_.data(); }
  float* packed_a() { return scratch_.data() + floats_b_; }

  ColumnPanels column_panels(const Block& block) {
    const auto [j, columns, t, steps] = block;
    const std::int64_t full = columns / kPanel * kPanel;
    if (z_.packed_b.data != nullptr) {
      const float* data =
          z_.packed_b.data + t * z_.packed_b.columns + (z_.packed_b.first + j) * steps;
      return {data, kPanel * steps, kPanel, data + full * steps};
    }
    if (packs_b_) {
      pack_b(steps, columns, {z_.b.at(t, j), z_.b.stride, z_.b.transposed}, packed_b());
      return {packed_b(), kPanel * steps, kPanel, packed_b() + full * steps};
    }
    if (full < columns) {
      pack_b(steps, columns - full, {z_.b.at(t, j + full), z_.b.stride, false}, packed_b());
    }
    return {z_.b.at(t, j), kPanel, z_.b.stride, packed_b()};
  }

  // Computes rows [i, i + rows) of the block.
  void multiply(const ColumnPanels& panels, const Block& block, std::int64_t i, std::int64_t rows) {
    const RowPanels row_panels(rows);
    const float* a = z_.a.at(i, block.t);
    if (packs_a_) pack_a(row_panels, block.steps, a, z_.a.stride, packed_a());
    const auto& tables = z_.a.transposed ? kByColumns : kByRows;
    Tile tile{.k = block.steps,
              .a_step = z_.a.stride,
              .c_stride = z_.c_stride,
              .alpha = z_.alpha,
              .beta = block.t == 0 ? z_.beta : 1.0F};
    for (std::int64_t j = 0; j < block.columns; j += kPanel) {
      tile.columns = std::min(kPanel, block.columns - j);
      const int vectors = tile.columns <= kWidth ? 1 : 2;
      const bool full = tile.columns == kPanel;
      tile.b = full ? panels.full + j / kPanel * panels.panel_stride : panels.last;
      tile.b_step = full ? panels.step : vectors * kWidth;
      for (std::int64_t p = 0; p < row_panels.count; ++p) {
        const std::int64_t first = row_panels.first(p), size = row_panels.rows(p);
        tile.a = a + (z_.a.transposed ? first : first * z_.a.stride);
        if (packs_a_) {
          tile.a = packed_a() + first * block.steps;
          tile.a_step = size;
        }
        tile.c = z_.c + (i + first) * z_.c_stride + block.j + j;
        tables[vectors - 1][static_cast<std::size_t>(size - 1)](tile);
      }
    }
  }

  static constexpr TileTable kByRows[2] = {tile_table<1, true>(), tile_table<2, true>()};
  static constexpr TileTable kByColumns[2] = {tile_table<1, false>(), tile_table<2, false>()};

  const Product& z_;
  std::int64_t chunk_, block_rows_;
  bool packs_a_;
  std::int64_t block_columns_;
  bool packs_b_;
  std::int64_t floats_b_;
  Buffer<float> scratch_;  // the packed block of B, then the packed block of A
};

}  // namespace

void multiply_at_level(const Product& product) {
  Multiplication(product).run();
}

PackedColumns pack_at_level(std::int64_t k, std::int64_t n, const Operand& b, float* to) {
  const std::int64_t chunk = even_part(k, kChunk, 1), columns = packed_columns(n);
  for (std::int64_t t = 0; t < k; t += chunk)
    pack_b(std::min(chunk, k - t), n, {b.at(t, 0), b.stride, b.transposed}, to + t * columns);
  return {.data = to, .columns = columns, .first = 0};
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {
namespace {

HWY_EXPORT(multiply_at_level);
HWY_EXPORT(pack_at_level);

constexpr std::int64_t kPieces = 8;
constexpr std::int64_t kPieceWork = 1'500'000;           // multiply-adds
constexpr std::int64_t kRowUnit = 12, kColumnUnit = 32;  // whole tiles at every level

// Pieces of C, made by halving. More pieces of the same columns pack B again; more pieces of the
// same rows read A again and pack a large Aᵀ again. Each halving takes the cheaper direction.
struct Pieces {
  std::int64_t rows, columns, across, count;

  explicit Pieces(const Product& z) : rows(z.m), columns(z.n) {
    const std::int64_t cost_a = z.a.transposed ? 4 : 1, cost_b = z.b.transposed ? 8 : 4;
    std::int64_t pieces = std::min(kPieces, z.m * z.n * z.k / kPieceWork);
    for (; pieces > 1; pieces /= 2) {
      if (rows * cost_a > columns * cost_b) {
        rows = half(rows, kRowUnit);
      } else {
        columns = half(columns, kColumnUnit);
      }
    }
    across = (z.n + columns - 1) / columns;
    count = (z.m + rows - 1) / rows * across;
  }
  static std::int64_t half(std::int64_t n, std::int64_t unit) {
    return (n + 2 * unit - 1) / (2 * unit) * unit;
  }
};

void scale_c(const Product& z) {
  for (std::int64_t i = 0; i < z.m; ++i) {
    float* c = z.c + i * z.c_stride;
    for (std::int64_t j = 0; j < z.n; ++j) c[j] = z.beta == 0 ? 0 : z.beta * c[j];
  }
}

}  // namespace

void own_gemm(const Product& z) {
  if (z.m == 0 || z.n == 0) return;
  if (z.k == 0) return scale_c(z);
  const auto multiply = TERSE_DISPATCH(multiply_at_level);
  const Pieces pieces(z);
  if (pieces.count == 1) return multiply(z);
  parallel_for(pieces.count, 1, [&](std::int64_t p, std::int64_t) {
    const std::int64_t i = p / pieces.across * pieces.rows;
    const std::int64_t j = p % pieces.across * pieces.columns;
    multiply(z.block(i, std::min(pieces.rows, z.m - i), j, std::min(pieces.columns, z.n - j)));
  });
}

// Enough for the widest vectors: the last panel is rounded up to two of them.
std::int64_t packed_floats(std::int64_t k, std::int64_t n) {
  return k * ((n + kColumnUnit - 1) / kColumnUnit * kColumnUnit);
}

PackedColumns pack_columns(std::int64_t k, std::int64_t n, const Operand& b, float* to) {
  return TERSE_DISPATCH(pack_at_level)(k, n, b, to);
}

}  // namespace terse::kernels
#endif
