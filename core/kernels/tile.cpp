#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/tile.cpp"
#include <hwy/foreach_target.h>

#include "core/kernels/tile.hpp"

#include <array>
#include <utility>

#include "core/error.hpp"
#include "core/simd/dispatch.hpp"
#include "core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

using Vector = FloatVector;

// 16 registers hold 12 sums, the operands and little else.
constexpr int kSumsInFlight = 12;

// The most rows that a tile of so many vectors can have.
constexpr int tile_rows(int vectors) {
  return kSumsInFlight / vectors;
}

template <int kRows, int kVectors>
using Sums = Vector[kRows][kVectors];

// One step: a column of A times a row of the panel.
template <int kRows, int kVectors>
HWY_INLINE void add_step(const float* const (&rows)[kRows], std::int64_t place, const float* b,
                         Sums<kRows, kVectors>& sum) {
  Vector panel[kVectors];
  for (int v = 0; v < kVectors; ++v) panel[v] = hn::LoadU(kLanes, b + v * kWidth);
  for (int i = 0; i < kRows; ++i) {
    const Vector left = hn::Set(kLanes, rows[i][place]);
    for (int v = 0; v < kVectors; ++v) sum[i][v] = hn::MulAdd(left, panel[v], sum[i][v]);
  }
}

template <int kRows, int kVectors>
HWY_INLINE void add_steps(const float* const (&rows)[kRows], const EvenSteps& steps, const float* b,
                          Sums<kRows, kVectors>& sum) {
  for (std::int64_t run = 0; run < steps.runs; ++run) {
    std::int64_t place = run * steps.run_step;
    for (std::int64_t t = 0; t < steps.length; ++t, place += steps.step) {
      add_step<kRows, kVectors>(rows, place, b, sum);
      b += kVectors * kWidth;
    }
  }
}

template <int kRows, int kVectors>
HWY_INLINE void add_steps(const float* const (&rows)[kRows], const ListedSteps& steps,
                          const float* b, Sums<kRows, kVectors>& sum) {
  for (std::int64_t t = 0; t < steps.count; ++t, b += kVectors * kWidth)
    add_step<kRows, kVectors>(rows, steps.places[t], b, sum);
}

// `count` tiles of kRows rows, from row `first` on.
template <int kRows, int kVectors, class Rows, class Steps>
void tiles(std::int64_t first, std::int64_t count, const float* a, const Rows& where,
           const Steps& steps, const float* b, const TileStart& start, float* c) {
  for (; count > 0; --count, first += kRows) {
    const float* rows[kRows];
    Sums<kRows, kVectors> sum;
    for (int i = 0; i < kRows; ++i) {
      rows[i] = a + where.place(first + i);
      const float* from =
          start.add ? c + where.target(first + i) * kVectors * kWidth : start.values;
      for (int v = 0; v < kVectors; ++v)
        sum[i][v] = from == nullptr ? hn::Zero(kLanes) : hn::LoadU(kLanes, from + v * kWidth);
    }
    add_steps<kRows, kVectors>(rows, steps, b, sum);
    for (int i = 0; i < kRows; ++i) {
      float* to = c + where.target(first + i) * kVectors * kWidth;
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

template <class Rows, class Steps>
void even_tiles(std::int64_t rows, int vectors, const float* a, const Rows& where,
                const Steps& steps, const float* b, const TileStart& start, float* c) {
  static constexpr auto kOne =
      table<Rows, Steps, 1>(std::make_integer_sequence<int, tile_rows(1)>());
  static constexpr auto kTwo =
      table<Rows, Steps, 2>(std::make_integer_sequence<int, tile_rows(2)>());
  internal_check(vectors == 1 || vectors == 2, "tile: no tile has {} vectors", vectors);
  if (rows == 0) return;
  const Tiles<Rows, Steps>* by_rows = vectors == 1 ? kOne.data() : kTwo.data();
  const std::int64_t count = (rows + tile_rows(vectors) - 1) / tile_rows(vectors);
  const std::int64_t least = rows / count, higher = rows % count;  // `higher` have a row more
  if (higher > 0) by_rows[least](0, higher, a, where, steps, b, start, c);
  by_rows[least - 1](higher * (least + 1), count - higher, a, where, steps, b, start, c);
}

// `kRows` rows of tile_of_pixels.
template <int kRows>
void pixel_tile(const float* a, std::int64_t row, const PixelSteps& steps, const float* b,
                const float* values, float* c) {
  Sums<kRows, 2> sum;
  for (int i = 0; i < kRows; ++i)
    for (auto& s : sum[i]) s = hn::Set(kLanes, values == nullptr ? 0.0F : values[i]);
  const std::int64_t vector = kWidth;
  for (std::int64_t run = 0; run < steps.runs; ++run, b += steps.run_step) {
    for (std::int64_t t = 0; t < steps.run.count; ++t, ++a) {
      const float* pixels = b + steps.run.places[t];
      const Vector panel[2] = {hn::LoadU(kLanes, pixels), hn::LoadU(kLanes, pixels + vector)};
      for (int i = 0; i < kRows; ++i) {
        const Vector left = hn::Set(kLanes, a[i * row]);
        for (int v = 0; v < 2; ++v) sum[i][v] = hn::MulAdd(left, panel[v], sum[i][v]);
      }
    }
  }
  for (int i = 0; i < kRows; ++i)
    for (int v = 0; v < 2; ++v) hn::StoreU(sum[i][v], kLanes, c + (2 * i + v) * vector);
}

using PixelTile = void (*)(const float*, std::int64_t, const PixelSteps&, const float*,
                           const float*, float*);

template <int... kRowsMinus1>
constexpr auto pixel_table(std::integer_sequence<int, kRowsMinus1...>) {
  return std::array<PixelTile, sizeof...(kRowsMinus1)>{pixel_tile<kRowsMinus1 + 1>...};
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
void tile_of_listed_steps(std::int64_t rows, int vectors, const float* a, const EvenRows& where,
                          const ListedSteps& steps, const float* b, const TileStart& start,
                          float* c) {
  even_tiles(rows, vectors, a, where, steps, b, start, c);
}

void pixels_at_level(std::int64_t rows, const float* a, const EvenRows& where,
                     const PixelSteps& steps, const float* b, const float* values, float* c) {
  static constexpr auto kByRows = pixel_table(std::make_integer_sequence<int, kPixelRows>());
  internal_check(rows >= 1 && rows <= kPixelRows, "tile: {} rows of pixels do not fit", rows);
  kByRows[static_cast<std::size_t>(rows - 1)](a, where.row, steps, b, values, c);
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(vector_width_at_level);
HWY_EXPORT(tile_of_rows);
HWY_EXPORT(tile_of_listed_rows);
HWY_EXPORT(tile_of_listed_steps);
HWY_EXPORT(pixels_at_level);

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
void tile(std::int64_t rows, int vectors, const float* a, const EvenRows& where,
          const ListedSteps& steps, const float* b, const TileStart& start, float* c) {
  TERSE_DISPATCH(tile_of_listed_steps)(rows, vectors, a, where, steps, b, start, c);
}
void tile_of_pixels(std::int64_t rows, const float* a, const EvenRows& where,
                    const PixelSteps& steps, const float* b, const float* values, float* c) {
  TERSE_DISPATCH(pixels_at_level)(rows, a, where, steps, b, values, c);
}

}  // namespace terse::kernels
#endif
