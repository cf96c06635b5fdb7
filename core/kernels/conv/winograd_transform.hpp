// The transforms of Winograd's F(4x4, 3x3), between tensors in memory and the 36 planes on which
// winograd.cpp computes matrix products.
//
// Each element of a plane is a vector of channels, so transforms are vector arithmetic without
// shuffles. Conversion from and to (N, C, H, W) is a transposition in registers. Work is cut into
// bands: a band is one row of tiles of one image, 4 rows of pixels. A block of channels is as wide
// as a panel of tile.hpp: one vector if the input and the output channels each fit in one, so that
// no half of a panel is empty, and otherwise two.
#pragma once

#include <cstdint>

#include "tersegrad/core/kernels/tile.hpp"

namespace terse::kernels::winograd {

inline constexpr int kPlanes = 36;  // values of a transformed tile

struct Block {
  int vectors;
  std::int64_t width() const { return panel_width(vectors); }
  std::int64_t count(std::int64_t channels) const { return divide_up(channels, width()); }
};

// The stride of planes of `floats` floats. A multiple of 512 bytes is avoided, since such planes
// would compete for the same few sets of the cache.
inline std::int64_t padded_stride(std::int64_t floats) {
  return floats % 128 == 0 ? floats + 16 : floats;
}

// Images (N, channels, H, W), cut into tiles of 4x4; those at the right and lower edges
// may be partial.
struct Images {
  std::int64_t n, channels, h, w;
  Block block;
  std::int64_t tile_rows() const { return (h + 3) / 4; }
  std::int64_t tile_columns() const { return (w + 3) / 4; }
  std::int64_t bands() const { return n * tile_rows(); }
};

struct Bands {
  std::int64_t begin, end;
};

// The position of a transformed tile. Value i of channel c of block b of tile t is
// planes[i · plane + b · block + t · tile + c], where t counts from the first band.
struct PlaneLayout {
  std::int64_t plane, block, tile;
};

// Bᵀ d B of every tile d of the bands: 6x6 pixels, the tile and its border.
void input_planes(const Images& images, const float* x, const Bands& bands,
                  const PlaneLayout& layout, float* planes);
// A dy Aᵀ of every 4x4 tile of the bands.
void output_gradient_planes(const Images& images, const float* dy, const Bands& bands,
                            const PlaneLayout& layout, float* planes);
// Aᵀ m A + bias of one block of channels: writes the pixels of y in the bands. `bias`
// may be nullptr.
void output_pixels(const Images& images, std::int64_t block, const Bands& bands,
                   const PlaneLayout& layout, const float* planes, const float* bias, float* y);

// Weights w (K, C, 3, 3), in the form that the forward pass or the data gradient needs.
struct Weights {
  const float* values;
  std::int64_t k, c;
  Block block;
  bool rotated;  // data gradient: rotated by 180 degrees, K in and C out
  std::int64_t in() const { return rotated ? k : c; }
  std::int64_t out() const { return rotated ? c : k; }
};
// G w Gᵀ of one block of output channels and of input channels [begin, end). Each plane is
// (end - begin, block); planes are `plane` floats apart.
void weight_planes(const Weights& weights, std::int64_t block, std::int64_t begin, std::int64_t end,
                   std::int64_t plane, float* planes);

// Gᵀ u G: dw of one block of K and of channels [begin, end). u is the sum, in this order, of
// `count` groups of partial planes (C, block of K). Groups are `slot` floats apart, planes of a
// group `plane` floats. The first row of each plane is channel `begin`.
struct WeightSums {
  Block block;
  const float* planes;
  std::int64_t plane, slot, count;
};
void weight_gradient(const WeightSums& sums, std::int64_t block, std::int64_t begin,
                     std::int64_t end, std::int64_t k, std::int64_t c, float* dw);

}  // namespace terse::kernels::winograd
