// The transforms of Winograd's F(4x4, 3x3), between tensors in memory and the 36 planes on which
// winograd.cpp multiplies matrices.
//
// Planes hold a vector of channels per element, so that every transform is plain arithmetic on
// vectors without shuffles; the way from and to (N, C, H, W) is a register transposition. Work is
// cut in bands: a band is one row of tiles of one image, 4 rows of pixels. A block is as many
// channels as a panel of tile.hpp is wide: one vector where the channels of both sides fit in it,
// so that no half of a panel is empty, and two elsewhere.
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

// Planes at multiples of 512 bytes would meet in the same few sets of the cache.
inline std::int64_t padded_stride(std::int64_t floats) {
  return floats % 128 == 0 ? floats + 16 : floats;
}

// (N, channels, H, W), cut in tiles of 4x4; those at the right and lower edges may be partial.
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

// Where a transformed tile stands: value i of channel c of block b of tile t is
// planes[i · plane + b · block + t · tile + c]; t counts from the first band.
struct PlaneLayout {
  std::int64_t plane, block, tile;
};

// Bᵀ d B of every tile d (6x6 pixels: a tile and its border) of the bands.
void input_planes(const Images& images, const float* x, const Bands& bands,
                  const PlaneLayout& layout, float* planes);
// A dy Aᵀ of every tile (4x4) of the bands.
void output_gradient_planes(const Images& images, const float* dy, const Bands& bands,
                            const PlaneLayout& layout, float* planes);
// Aᵀ m A + bias of one block of channels: the pixels of y in the bands. No bias: nullptr.
void output_pixels(const Images& images, std::int64_t block, const Bands& bands,
                   const PlaneLayout& layout, const float* planes, const float* bias, float* y);

// Weights w (K, C, 3, 3), as the forward pass or the data gradient reads them.
struct Weights {
  const float* values;
  std::int64_t k, c;
  Block block;
  bool rotated;  // data gradient: turned by 180 degrees, K in and C out
  std::int64_t in() const { return rotated ? k : c; }
  std::int64_t out() const { return rotated ? c : k; }
};
// G w Gᵀ of one block of output channels and of the input channels [begin, end): planes of
// (end - begin, block), `plane` floats apart.
void weight_planes(const Weights& weights, std::int64_t block, std::int64_t begin, std::int64_t end,
                   std::int64_t plane, float* planes);

// Gᵀ u G, where u is the sum, in their order, of `count` partial planes `slot` floats apart, each
// (C, block of K) and `plane` floats from the next: dw of one block of K and of channels [begin,
// end). The first row of the planes is channel `begin`.
struct WeightSums {
  Block block;
  const float* planes;
  std::int64_t plane, slot, count;
};
void weight_gradient(const WeightSums& sums, std::int64_t block, std::int64_t begin,
                     std::int64_t end, std::int64_t k, std::int64_t c, float* dw);

}  // namespace terse::kernels::winograd
