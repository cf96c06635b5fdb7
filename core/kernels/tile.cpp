#include "core/kernels/tile.hpp"

#include <array>
#include <utility>

#include "core/error.hpp"

namespace terse::kernels {
namespace {

using TileFunction = void (*)(const float*, const TileWalk&, const float*, const TileStart&,
                              float*);

template <int kVectors, int... kRowsMinus1>
constexpr auto table(std::integer_sequence<int, kRowsMinus1...>) {
  return std::array<TileFunction, sizeof...(kRowsMinus1)>{
      [](const float* a, const TileWalk& walk, const float* b, const TileStart& start, float* c) {
        tile<kRowsMinus1 + 1, kVectors>(a, walk, b, start, c);
      }...};
}

}  // namespace

void tile(int rows, int vectors, const float* a, const TileWalk& walk, const float* b,
          const TileStart& start, float* c) {
  static constexpr auto kOne = table<1>(std::make_integer_sequence<int, tile_rows(1)>());
  static constexpr auto kTwo = table<2>(std::make_integer_sequence<int, tile_rows(2)>());
  internal_check((vectors == 1 || vectors == 2) && rows >= 1 && rows <= tile_rows(vectors),
                 "tile: {} rows of {} vectors do not fit the registers", rows, vectors);
  const auto index = static_cast<std::size_t>(rows - 1);
  (vectors == 1 ? kOne[index] : kTwo[index])(a, walk, b, start, c);
}

}  // namespace terse::kernels
