// Winograd's minimal filtering F(4x4, 3x3) for convolutions of 3x3, stride 1 and padding 1 (Lavin
// and Gray, "Fast algorithms for convolutional neural networks", 2016, section 4.1).
//
// A tile of 4x4 pixels of y depends on 6x6 pixels of x. The transforms evaluate polynomials at 6
// points in each direction, where the convolution is an elementwise product:
//
//   y  = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ d B) ] A          36 products instead of 144
//   dw = Gᵀ [ (A dy Aᵀ) ⊙ (Bᵀ d B) ] G         the adjoint
//   dx = the forward pass on dy, with w rotated by 180 degrees and its channels swapped
//
// With the sum over channels (for dw, over tiles), each of the 36 values of a tile becomes a matrix
// product: planes V (tiles, C), U (C, K), M (tiles, K). The products use the register tile of
// tile.hpp; U and the planes of dy are stored as its panels.
//
// With few weights, U is computed first. Each task then processes a few bands of images
// (winograd_transform.hpp) through all three phases, so that its V and M stay in the cache. With
// many weights (U is larger than V), V is computed first. Each task then processes one block of
// output channels: it computes its part of U and uses it at once.
//
// Rounding: the largest error is 1e-5 of the largest value for C = 512, ten times that of the
// direct sum (conv2d_test.cpp bounds it). Results do not depend on threads: dw is summed in
// fixed slots.
#include <algorithm>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/kernels/conv/conv2d.hpp"
#include "tersegrad/core/kernels/conv/winograd_transform.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse::kernels::winograd {
namespace {

// The stride of rows of V: whole blocks, and not a multiple of 512 bytes.
std::int64_t padded_row(const Images& images) {
  return padded_stride(images.block.count(images.channels) * images.block.width());
}

PlaneLayout rows_layout(std::int64_t tiles, const Images& images) {
  const std::int64_t row = padded_row(images);
  return {.plane = padded_stride(tiles * row), .block = images.block.width(), .tile = row};
}

// The planes of one block.
PlaneLayout panel_layout(std::int64_t tiles, const Block& block) {
  return {.plane = padded_stride(tiles * block.width()), .block = 0, .tile = block.width()};
}

// The planes of all blocks; in each plane the blocks follow each other.
PlaneLayout panels_layout(std::int64_t tiles, const Images& images) {
  const std::int64_t block = tiles * images.block.width();
  return {.plane = padded_stride(images.block.count(images.channels) * block),
          .block = block,
          .tile = images.block.width()};
}

// The block for a layer with c input and k output channels.
Block block_for(std::int64_t c, std::int64_t k) {
  return {.vectors = panel_vectors(std::max(c, k))};
}

// Bands in one task, about `tiles` tiles.
std::int64_t band_grain(const Images& images, std::int64_t tiles) {
  return std::max<std::int64_t>(1, tiles / images.tile_columns());
}

// M = V U, or M += V U, of one block, summed over `channels` channels, in each plane.
void multiply(std::int64_t tiles, const Block& block, std::int64_t channels,
              const PlaneLayout& v_layout, const float* v, std::int64_t u_plane, const float* u,
              const PlaneLayout& m_layout, float* m, bool add = false) {
  for (int i = 0; i < kPlanes; ++i) {
    tile(tiles, block.vectors, v + i * v_layout.plane, EvenRows{v_layout.tile},
         EvenSteps{.step = 1, .length = channels}, u + i * u_plane, {.add = add},
         m + i * m_layout.plane);
  }
}

struct Correlation {
  Images in, out;
  Weights weights;
  const float* x;
  const float* bias;  // nullptr: none
  float* y;
};

void correlate_by_bands(const Correlation& a) {
  const std::int64_t panels = a.out.block.count(a.out.channels);
  const std::int64_t u_plane = padded_stride(a.in.channels * a.in.block.width());
  Buffer<float> u(panels * kPlanes * u_plane);
  parallel_for(panels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b)
      weight_planes(a.weights, b, 0, a.in.channels, u_plane, u.data() + b * kPlanes * u_plane);
  });
  const std::int64_t grain =
      band_grain(a.in, std::clamp<std::int64_t>(4096 / a.in.channels, 16, 64));
  parallel_for(a.in.bands(), grain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t tiles = (end - begin) * a.in.tile_columns();
    const PlaneLayout v_layout = rows_layout(tiles, a.in),
                      m_layout = panel_layout(tiles, a.in.block);
    Buffer<float> v(kPlanes * v_layout.plane), m(kPlanes * m_layout.plane);
    input_planes(a.in, a.x, {begin, end}, v_layout, v.data());
    for (std::int64_t b = 0; b < panels; ++b) {
      multiply(tiles, a.in.block, a.in.channels, v_layout, v.data(), u_plane,
               u.data() + b * kPlanes * u_plane, m_layout, m.data());
      output_pixels(a.out, b, {begin, end}, m_layout, m.data(), a.bias, a.y);
    }
  });
}

// Computes V of all images.
Buffer<float> all_input_planes(const Images& images, const float* x, const PlaneLayout& layout) {
  Buffer<float> v(kPlanes * layout.plane);
  parallel_for(images.bands(), band_grain(images, 8), [&](std::int64_t begin, std::int64_t end) {
    input_planes(images, x, {begin, end}, layout,
                 v.data() + begin * images.tile_columns() * layout.tile);
  });
  return v;
}

void correlate_by_panels(const Correlation& a) {
  constexpr std::int64_t kChannelsOfU = 128;  // at once, so that U stays in the L2 cache
  const std::int64_t tiles = a.in.bands() * a.in.tile_columns();
  const PlaneLayout v_layout = rows_layout(tiles, a.in), m_layout = panel_layout(tiles, a.in.block);
  const Buffer<float> v = all_input_planes(a.in, a.x, v_layout);
  parallel_for(a.out.block.count(a.out.channels), 1, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t u_plane = padded_stride(kChannelsOfU * a.in.block.width());
    Buffer<float> u(kPlanes * u_plane), m(kPlanes * m_layout.plane);
    for (std::int64_t b = begin; b < end; ++b) {
      for (std::int64_t c = 0; c < a.in.channels; c += kChannelsOfU) {
        const std::int64_t last = std::min(c + kChannelsOfU, a.in.channels);
        weight_planes(a.weights, b, c, last, u_plane, u.data());
        multiply(tiles, a.in.block, last - c, v_layout, v.data() + c, u_plane, u.data(), m_layout,
                 m.data(), c > 0);
      }
      output_pixels(a.out, b, {0, a.out.bands()}, m_layout, m.data(), a.bias, a.y);
    }
  });
}

// Whether the weights are large compared with the images. The *_by_panels functions are
// for this case.
bool many_weights(const Images& in, std::int64_t out_channels) {
  const std::int64_t tiles = in.bands() * in.tile_columns();
  return in.channels * out_channels >= 256 * 256 && tiles <= 2 * (in.channels + out_channels);
}

void correlate(const Correlation& a) {
  if (many_weights(a.in, a.out.channels)) {
    correlate_by_panels(a);
  } else {
    correlate_by_bands(a);
  }
}

// The sums u (C, block of K) of some blocks. multiply_gradient adds to them the sums over
// tiles: rows of V times panels of the planes of dy. It processes plane by plane, so that each
// is read once.
struct GradientSums {
  std::int64_t plane, block;  // strides of planes and blocks
  float* values;
};
void multiply_gradient(std::int64_t tiles, std::int64_t channels, const Block& block,
                       const PlaneLayout& v_layout, const float* v, std::int64_t blocks,
                       const PlaneLayout& w_layout, const float* w, const GradientSums& u,
                       bool add) {
  for (int i = 0; i < kPlanes; ++i) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      tile(channels, block.vectors, v + i * v_layout.plane, AdjacentRows{},
           EvenSteps{.step = v_layout.tile, .length = tiles},
           w + i * w_layout.plane + b * w_layout.block, {.add = add},
           u.values + i * u.plane + b * u.block);
    }
  }
}

struct Gradient {
  Images in, out;  // x and dy
  const float *x, *dy;
  float* dw;
};

// The weight gradient with few weights. Images are divided into slots of a fixed number of bands,
// each with its own sums. There are fewer slots if the sums are larger.
void weight_gradient_by_bands(const Gradient& a) {
  const std::int64_t c = a.in.channels, k = a.out.channels, panels = a.out.block.count(k);
  const std::int64_t u_plane = padded_stride(c * a.in.block.width()), u_panel = kPlanes * u_plane;
  const std::int64_t size = panels * u_panel, wanted = size < 64 << 10  ? 16
                                                       : size < 1 << 18 ? 4
                                                                        : 2;
  const std::int64_t slot = divide_up(a.in.bands(), wanted), slots = divide_up(a.in.bands(), slot);
  const std::int64_t group = std::min(slot, band_grain(a.in, 64));
  Buffer<float> u(slots * panels * u_panel);
  parallel_for(a.in.bands(), slot, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t most = group * a.in.tile_columns();
    Buffer<float> v(kPlanes * rows_layout(most, a.in).plane);
    Buffer<float> w(kPlanes * panels_layout(most, a.out).plane);
    float* sums = u.data() + begin / slot * panels * u_panel;
    for (std::int64_t first = begin; first < end; first += group) {
      const Bands bands{first, std::min(first + group, end)};
      const std::int64_t tiles = (bands.end - bands.begin) * a.in.tile_columns();
      const PlaneLayout v_layout = rows_layout(tiles, a.in), w_layout = panels_layout(tiles, a.out);
      input_planes(a.in, a.x, bands, v_layout, v.data());
      output_gradient_planes(a.out, a.dy, bands, w_layout, w.data());
      multiply_gradient(tiles, c, a.in.block, v_layout, v.data(), panels, w_layout, w.data(),
                        {u_plane, u_panel, sums}, first > begin);
    }
  });
  parallel_for(panels, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b)
      weight_gradient({a.in.block, u.data() + b * u_panel, u_plane, panels * u_panel, slots}, b, 0,
                      c, k, c, a.dw);
  });
}

void weight_gradient_by_panels(const Gradient& a) {
  const std::int64_t c = a.in.channels, k = a.out.channels, panels = a.out.block.count(k);
  const std::int64_t tiles = a.in.bands() * a.in.tile_columns();
  const PlaneLayout v_layout = rows_layout(tiles, a.in), w_layout = panels_layout(tiles, a.out);
  const Buffer<float> v = all_input_planes(a.in, a.x, v_layout);
  Buffer<float> w(kPlanes * w_layout.plane);
  parallel_for(a.out.bands(), band_grain(a.out, 8), [&](std::int64_t begin, std::int64_t end) {
    output_gradient_planes(a.out, a.dy, {begin, end}, w_layout,
                           w.data() + begin * a.out.tile_columns() * w_layout.tile);
  });
  // A task is a few channels and all panels, so that its part of V and its sums stay in
  // the L2 cache.
  const std::int64_t rows = std::clamp<std::int64_t>(6144 / tiles, 24, 96);
  parallel_for(divide_up(c, rows) * panels, 1, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t u_plane = padded_stride(rows * a.in.block.width());
    Buffer<float> u(kPlanes * u_plane);
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t row = i / panels * rows, last = std::min(row + rows, c), b = i % panels;
      multiply_gradient(tiles, last - row, a.in.block, v_layout, v.data() + row, 1, w_layout,
                        w.data() + b * w_layout.block, {u_plane, 0, u.data()}, false);
      weight_gradient({a.in.block, u.data(), u_plane, 0, 1}, b, row, last, k, c, a.dw);
    }
  });
}

}  // namespace

void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y) {
  const auto& a = shape;
  const Block block = block_for(a.c, a.k);
  correlate({.in = {a.n, a.c, a.h, a.w, block},
             .out = {a.n, a.k, a.h, a.w, block},
             .weights = {w.data(), a.k, a.c, block, false},
             .x = x.data(),
             .bias = bias.empty() ? nullptr : bias.data(),
             .y = y.data()});
}

void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx) {
  const auto& a = shape;
  const Block block = block_for(a.c, a.k);
  correlate({.in = {a.n, a.k, a.h, a.w, block},
             .out = {a.n, a.c, a.h, a.w, block},
             .weights = {w.data(), a.k, a.c, block, true},
             .x = dy.data(),
             .bias = nullptr,
             .y = dx.data()});
}

void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw) {
  const auto& a = shape;
  const Block block = block_for(a.c, a.k);
  const Gradient gradient{
      {a.n, a.c, a.h, a.w, block}, {a.n, a.k, a.h, a.w, block}, x.data(), dy.data(), dw.data()};
  if (many_weights(gradient.in, a.k)) {
    weight_gradient_by_panels(gradient);
  } else {
    weight_gradient_by_bands(gradient);
  }
}

}  // namespace terse::kernels::winograd
