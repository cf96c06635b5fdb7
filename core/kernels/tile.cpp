#include "core/kernels/tile.hpp"

#include <array>
#include <utility>

#include "core/error.hpp"

namespace terse::kernels {
namespace {

// `count` tiles of the same number of rows, one below the other.
using TileFunction = void (*)(std::int64_t count, const float*, const TileWalk&, const float*,
                              const TileStart&, float*);

template <int kVectors, int... kRowsMinus1>
constexpr auto table(std::integer_sequence<int, kRowsMinus1...>) {
  return std::array<TileFunction, sizeof...(kRowsMinus1)>{[](std::int64_t count, const float* a,
                                                             const TileWalk& walk, const float* b,
                                                             const TileStart& start, float* c) {
    constexpr int kRows = kRowsMinus1 + 1;
    TileStart from = start;
    for (; count > 0; --count) {
      tile<kRows, kVectors>(a, walk, b, from, c);
      a += kRows * walk.row;
      if (from.values != nullptr) from.values += kRows * from.row;
      c += kRows * panel_width(kVectors);
    }
  }...};
}

}  // namespace

void tile(std::int64_t rows, int vectors, const float* a, const TileWalk& walk, const float* b,
          const TileStart& start, float* c) {
  static constexpr auto kOne = table<1>(std::make_integer_sequence<int, tile_rows(1)>());
  static constexpr auto kTwo = table<2>(std::make_integer_sequence<int, tile_rows(2)>());
  internal_check(vectors == 1 || vectors == 2, "tile: no tile has {} vectors", vectors);
  if (rows == 0) return;
  const TileFunction* functions = vectors == 1 ? kOne.data() : kTwo.data();
  const std::int64_t tiles = (rows + tile_rows(vectors) - 1) / tile_rows(vectors);
  const std::int64_t least = rows / tiles, higher = rows % tiles;  // `higher` have a row more
  if (higher > 0) functions[least](higher, a, walk, b, start, c);
  const std::int64_t done = higher * (least + 1);
  TileStart rest = start;
  if (rest.values != nullptr) rest.values += done * rest.row;
  functions[least - 1](tiles - higher, a + done * walk.row, walk, b, rest,
                       c + done * panel_width(vectors));
}

}  // namespace terse::kernels
