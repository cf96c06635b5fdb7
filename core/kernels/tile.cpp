#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/core/kernels/tile.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/core/kernels/tile.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

using Vector = FloatVector;

// The maximum number of rows of a tile of one and of two vectors. 16 registers hold 12 sums
// beside the operands, 32 hold 24. A tile of one vector needs only enough rows to hide the
// latency of an addition.
constexpr int kRowsOfOne = 12;
constexpr int kRowsOfTwo = HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON ? 12 : 6;

// The channels and taps that one tile of tile_of_taps computes.
constexpr int kChannelsOfTaps = kRowsOfTwo == 12 ? 3 : 2;
constexpr int kTapsAtOnce = 5;

template <int kRows, int kVectors>
using Sums = Vector[kRows][kVectors];

// Reads kRows elements of a column of A. Where addresses follow from one base pointer, more
// registers are left for the sums.
template <int kRows, class Rows>
class Column {
 public:
  Column(const float* a, const Rows& where, std::int64_t first) {
    for (int i = 0; i < kRows; ++i) rows_[i] = a + where.place(first + i);
  }
  HWY_INLINE float at(int i, std::int64_t place) const { return rows_[i][place]; }

 private:
  const float* rows_[kRows];
};
template <int kRows>
class Column<kRows, EvenRows> {
 public:
  Column(const float* a, const EvenRows& where, std::int64_t first)
      : base_(a + where.place(first)), row_(where.row) {}
  HWY_INLINE float at(int i, std::int64_t place) const { return (base_ + place)[i * row_]; }

 private:
  const float* base_;
  std::int64_t row_;
};
template <int kRows>
class Column<kRows, AdjacentRows> {
 public:
  Column(const float* a, const AdjacentRows&, std::int64_t first) : base_(a + first) {}
  HWY_INLINE float at(int i, std::int64_t place) const { return (base_ + place)[i]; }

 private:
  const float* base_;
};

// Adds one step: a column of A times a row of the panel. Without the pragmas GCC unrolls only very
// short loops.
template <int kRows, int kVectors, class Column>
HWY_INLINE void add_step(const Column& column, std::int64_t place, const float* b,
                         Sums<kRows, kVectors>& sum) {
  Vector panel[kVectors];
#pragma GCC unroll 2
  for (int v = 0; v < kVectors; ++v) panel[v] = hn::LoadU(kLanes, b + v * kWidth);
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
    const Vector left = hn::Set(kLanes, column.at(i, place));
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sum[i][v] = hn::MulAdd(left, panel[v], sum[i][v]);
  }
}

template <int kRows, int kVectors, class Column>
HWY_INLINE void add_steps(const Column& column, const EvenSteps& steps, const float* b,
                          Sums<kRows, kVectors>& sum) {
  for (std::int64_t run = 0; run < steps.runs; ++run) {
    std::int64_t place = run * steps.run_step;
    for (std::int64_t t = 0; t < steps.length; ++t, place += steps.step) {
      add_step<kRows, kVectors>(column, place, b, sum);
      b += kVectors * kWidth;
    }
  }
}

template <int kRows, int kVectors, class Column>
HWY_INLINE void add_steps(const Column& column, const ListedSteps& steps, const float* b,
                          Sums<kRows, kVectors>& sum) {
  for (std::int64_t t = 0; t < steps.count; ++t, b += kVectors * kWidth)
    add_step<kRows, kVectors>(column, steps.places[t], b, sum);
}

// Computes `count` tiles of kRows rows, from row `first` on.
template <int kRows, int kVectors, class Rows, class Steps>
void tiles(std::int64_t first, std::int64_t count, const float* a, const Rows& where,
           const Steps& steps, const float* b, const TileStart& start, float* c) {
  for (; count > 0; --count, first += kRows) {
    const Column<kRows, Rows> column(a, where, first);
    Sums<kRows, kVectors> sum;
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      const float* from =
          start.add ? c + where.target(first + i) * kVectors * kWidth : start.values;
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v)
        sum[i][v] = from == nullptr ? hn::Zero(kLanes) : hn::LoadU(kLanes, from + v * kWidth);
    }
    add_steps<kRows, kVectors>(column, steps, b, sum);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      float* to = c + where.target(first + i) * kVectors * kWidth;
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) hn::StoreU(sum[i][v], kLanes, to + v * kWidth);
    }
  }
}

template <class Rows, class Steps>
using Tiles = void (*)(std::int64_t first, std::int64_t count, const float* a, const Rows& where,
                       const Steps& steps, const float* b, const TileStart& start, float* c);

template <class Rows, class Steps, int kVectors, int... kRowsMinus1>
constexpr auto table(std::integer_sequence<int, kRowsMinus1...>) {
  return std::array<Tiles<Rows, Steps>, sizeof...(kRowsMinus1)>{
      tiles<kRowsMinus1 + 1, kVectors, Rows, Steps>...};
}

// Divides the rows evenly among tiles of at most kMost rows.
template <std::size_t kMost, class Rows, class Steps>
void deal_tiles(const std::array<Tiles<Rows, Steps>, kMost>& by_rows, std::int64_t rows,
                const float* a, const Rows& where, const Steps& steps, const float* b,
                const TileStart& start, float* c) {
  if (rows == 0) return;
  const std::int64_t count = divide_up(rows, static_cast<std::int64_t>(kMost));
  const std::int64_t least = rows / count, higher = rows % count;  // `higher` have one more
  if (higher > 0) by_rows[static_cast<std::size_t>(least)](0, higher, a, where, steps, b, start, c);
  by_rows[static_cast<std::size_t>(least - 1)](higher * (least + 1), count - higher, a, where,
                                               steps, b, start, c);
}

template <class Rows, class Steps>
void even_tiles(std::int64_t rows, int vectors, const float* a, const Rows& where,
                const Steps& steps, const float* b, const TileStart& start, float* c) {
  static constexpr auto kOne = table<Rows, Steps, 1>(std::make_integer_sequence<int, kRowsOfOne>());
  static constexpr auto kTwo = table<Rows, Steps, 2>(std::make_integer_sequence<int, kRowsOfTwo>());
  internal_check(vectors == 1 || vectors == 2, "tile: expected 1 or 2 vectors; got {}", vectors);
  if (vectors == 1) {
    deal_tiles(kOne, rows, a, where, steps, b, start, c);
  } else {
    deal_tiles(kTwo, rows, a, where, steps, b, start, c);
  }
}

// Computes kRows rows of tile_of_pixels.
template <int kRows>
void pixel_tile(const float* a, std::int64_t row, const PixelSteps& steps, const float* b,
                const float* values, const PixelTarget& to) {
  Sums<kRows, 2> sum;
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i)
    for (auto& s : sum[i]) s = hn::Set(kLanes, values == nullptr ? 0.0F : values[i]);
  for (std::int64_t run = 0; run < steps.runs; ++run, b += steps.run_step) {
    for (std::int64_t t = 0; t < steps.run.count; ++t, ++a) {
      const float* pixels = b + steps.run.places[t];
      const Vector panel[2] = {hn::LoadU(kLanes, pixels), hn::LoadU(kLanes, pixels + steps.second)};
      for (int i = 0; i < kRows; ++i) {
        const Vector left = hn::Set(kLanes, a[i * row]);
        for (int v = 0; v < 2; ++v) sum[i][v] = hn::MulAdd(left, panel[v], sum[i][v]);
      }
    }
  }
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < 2; ++v)
      store_part(sum[i][v], to.c + i * to.row + v * to.second, to.columns[v]);
}

using PixelTile = void (*)(const float*, std::int64_t, const PixelSteps&, const float*,
                           const float*, const PixelTarget&);

template <int... kRowsMinus1>
constexpr auto pixel_table(std::integer_sequence<int, kRowsMinus1...>) {
  return std::array<PixelTile, sizeof...(kRowsMinus1)>{pixel_tile<kRowsMinus1 + 1>...};
}

template <int kChannels, int kTaps>
void tap_tile(const TapPixels& pixels, const float* x, const float* dy, float* sums) {
  Vector sum[kChannels][kTaps];
#pragma GCC unroll 3
  for (auto& of_channel : sum)
#pragma GCC unroll 5
    for (auto& s : of_channel) s = hn::Zero(kLanes);
  for (std::int64_t p = 0; p < pixels.rows; ++p, x += pixels.x_row, dy += pixels.dy_row) {
    for (std::int64_t q = 0; q < pixels.columns; q += kWidth) {
      // Lanes after the end of the row are zero in both operands, so that a NaN there does not
      // reach the sums.
      const std::int64_t count = pixels.columns - q;
      Vector of_dy[kChannels];
#pragma GCC unroll 3
      for (int k = 0; k < kChannels; ++k) of_dy[k] = load_part(dy + k * pixels.channel + q, count);
#pragma GCC unroll 5
      for (int s = 0; s < kTaps; ++s) {
        const Vector shifted = load_part(x + q + s, count);
#pragma GCC unroll 3
        for (int k = 0; k < kChannels; ++k) sum[k][s] = hn::MulAdd(of_dy[k], shifted, sum[k][s]);
      }
    }
  }
  for (int k = 0; k < kChannels; ++k) {
    for (int s = 0; s < kTaps; ++s) {
      float* to = sums + k * pixels.sums_row + s * kWidth;
      hn::StoreU(hn::Add(hn::LoadU(kLanes, to), sum[k][s]), kLanes, to);
    }
  }
}

using TapTile = void (*)(const TapPixels&, const float*, const float*, float*);

template <int kChannels, int... kTapsMinus1>
constexpr auto tap_table(std::integer_sequence<int, kTapsMinus1...>) {
  return std::array<TapTile, sizeof...(kTapsMinus1)>{tap_tile<kChannels, kTapsMinus1 + 1>...};
}
template <int... kChannelsMinus1>
constexpr auto tap_tables(std::integer_sequence<int, kChannelsMinus1...>) {
  constexpr std::make_integer_sequence<int, kTapsAtOnce> taps;
  return std::array{tap_table<kChannelsMinus1 + 1>(taps)...};
}

}  // namespace

std::int64_t vector_width_at_level() {
  return kWidth;
}

void tile_of_rows(std::int64_t rows, int vectors, const float* a, const EvenRows& where,
                  const EvenSteps& steps, const float* b, const TileStart& start, float* c) {
  even_tiles(rows, vectors, a, where, steps, b, start, c);
}
void tile_of_listed_rows(std::int64_t rows, int vectors, const float* a, const ListedRows& where,
                         const EvenSteps& steps, const float* b, const TileStart& start, float* c) {
  even_tiles(rows, vectors, a, where, steps, b, start, c);
}
void tile_of_adjacent_rows(std::int64_t rows, int vectors, const float* a,
                           const AdjacentRows& where, const EvenSteps& steps, const float* b,
                           const TileStart& start, float* c) {
  even_tiles(rows, vectors, a, where, steps, b, start, c);
}
void tile_of_listed_steps(std::int64_t rows, int vectors, const float* a, const AdjacentRows& where,
                          const ListedSteps& steps, const float* b, const TileStart& start,
                          float* c) {
  even_tiles(rows, vectors, a, where, steps, b, start, c);
}

void tile_of_lists(std::int64_t rows, const float* a, const ListedRows& where,
                   const ListedSteps& steps, const float* b, const TileStart& start, float* c) {
  static constexpr auto kOne =
      table<ListedRows, ListedSteps, 1>(std::make_integer_sequence<int, kRowsOfOne>());
  deal_tiles(kOne, rows, a, where, steps, b, start, c);
}

void pixels_at_level(std::int64_t rows, const float* a, const EvenRows& where,
                     const PixelSteps& steps, const float* b, const float* values,
                     const PixelTarget& to) {
  static constexpr auto kByRows = pixel_table(std::make_integer_sequence<int, kPixelRows>());
  internal_check(rows >= 1 && rows <= kPixelRows, "tile: expected 1 to {} rows of pixels; got {}",
                 kPixelRows, rows);
  kByRows[static_cast<std::size_t>(rows - 1)](a, where.row, steps, b, values, to);
}

void taps_at_level(std::int64_t channels, std::int64_t taps, const TapPixels& pixels,
                   const float* x, const float* dy, float* sums) {
  static constexpr auto kTables = tap_tables(std::make_integer_sequence<int, kChannelsOfTaps>());
  for (std::int64_t k = 0; k < channels; k += kChannelsOfTaps) {
    for (std::int64_t s = 0; s < taps; s += kTapsAtOnce) {
      const auto more =
          static_cast<std::size_t>(std::min<std::int64_t>(kChannelsOfTaps, channels - k) - 1);
      const auto wide = static_cast<std::size_t>(std::min<std::int64_t>(kTapsAtOnce, taps - s) - 1);
      kTables[more][wide](pixels, x + s, dy + k * pixels.channel,
                          sums + k * pixels.sums_row + s * kWidth);
    }
  }
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(vector_width_at_level);
HWY_EXPORT(tile_of_rows);
HWY_EXPORT(tile_of_adjacent_rows);
HWY_EXPORT(tile_of_listed_rows);
HWY_EXPORT(tile_of_listed_steps);
HWY_EXPORT(tile_of_lists);
HWY_EXPORT(pixels_at_level);
HWY_EXPORT(taps_at_level);

std::int64_t vector_width() {
  return TERSE_DISPATCH(vector_width_at_level)();
}
void tile(std::int64_t rows, int vectors, const float* a, const EvenRows& where,
          const EvenSteps& steps, const float* b, const TileStart& start, float* c) {
  TERSE_DISPATCH(tile_of_rows)(rows, vectors, a, where, steps, b, start, c);
}
void tile(std::int64_t rows, int vectors, const float* a, const ListedRows& where,
          const EvenSteps& steps, const float* b, const TileStart& start, float* c) {
  TERSE_DISPATCH(tile_of_listed_rows)(rows, vectors, a, where, steps, b, start, c);
}
void tile(std::int64_t rows, int vectors, const float* a, const AdjacentRows& where,
          const EvenSteps& steps, const float* b, const TileStart& start, float* c) {
  TERSE_DISPATCH(tile_of_adjacent_rows)(rows, vectors, a, where, steps, b, start, c);
}
void tile(std::int64_t rows, int vectors, const float* a, const AdjacentRows& where,
          const ListedSteps& steps, const float* b, const TileStart& start, float* c) {
  TERSE_DISPATCH(tile_of_listed_steps)(rows, vectors, a, where, steps, b, start, c);
}
void tile(std::int64_t rows, const float* a, const ListedRows& where, const ListedSteps& steps,
          const float* b, const TileStart& start, float* c) {
  TERSE_DISPATCH(tile_of_lists)(rows, a, where, steps, b, start, c);
}
void tile_of_pixels(std::int64_t rows, const float* a, const EvenRows& where,
                    const PixelSteps& steps, const float* b, const float* values,
                    const PixelTarget& to) {
  TERSE_DISPATCH(pixels_at_level)(rows, a, where, steps, b, values, to);
}
void tile_of_taps(std::int64_t channels, std::int64_t taps, const TapPixels& pixels, const float* x,
                  const float* dy, float* sums) {
  TERSE_DISPATCH(taps_at_level)(channels, taps, pixels, x, dy, sums);
}

}  // namespace terse::kernels
#endif
