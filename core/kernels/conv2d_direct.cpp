// Direct convolution: no column buffer.
//
// An image is copied once to a zero-padded (H', W', C) scratch. There the S·C inputs of one kernel
// row are contiguous, so an output pixel is a sum over R runs of length S·C, and a register tile
// computes a few neighbouring pixels of a row times a panel of output channels.
//
//   forward           pixels of y = runs of padded x  ·  panels of w
//   data gradient     the same, on dy spread out by the stride, with w rotated by 180 degrees and
//   its
//                     channels swapped
//   weight gradient   (s, c) neighbours of x  ·  panels of dy, summed over all pixels of an image;
//                     images are summed in slots of a fixed number of them, slots in order
#include <algorithm>
#include <cstring>

#include "core/buffer.hpp"
#include "core/kernels/conv2d.hpp"
#include "core/kernels/tile.hpp"
#include "core/kernels/transpose.hpp"
#include "core/parallel.hpp"

namespace terse::kernels::direct {
namespace {

// At most so many partial sums of a weight gradient; fixed, so that threads change no bit.
constexpr std::int64_t kSlots = 8;

std::int64_t divide_up(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// An image as the tiles want it: (height, width, channels), zero where no source pixel stands.
struct Plane {
  std::int64_t height, width, channels;
  std::int64_t size() const { return height * width * channels; }
};

Buffer<float> zero_image(const Plane& plane) {
  Buffer<float> image(plane.size());
  std::memset(image.data(), 0, static_cast<std::size_t>(plane.size()) * sizeof(float));
  return image;
}

// Where the pixels of an image (channels, h, w) go in a plane: pixel (i, j) to row top + i·spread
// and column left + j·spread; those that fall outside are dropped.
struct Placement {
  std::int64_t h, w, top, left, spread;
};

// Writes the placed pixels only: what lies between and around them must be zero already.
void scatter_image(const float* from, const Placement& place, const Plane& plane, float* to) {
  for (std::int64_t c = 0; c < plane.channels; ++c) {
    for (std::int64_t i = 0; i < place.h; ++i) {
      const std::int64_t row = place.top + i * place.spread;
      if (row < 0 || row >= plane.height) continue;
      const float* source = from + (c * place.h + i) * place.w;
      float* target = to + row * plane.width * plane.channels + c;
      for (std::int64_t j = 0; j < place.w; ++j) {
        const std::int64_t column = place.left + j * place.spread;
        if (column >= 0 && column < plane.width) target[column * plane.channels] = source[j];
      }
    }
  }
}

// Columns of a matrix in panels of `width`: (ceil(columns / width), rows, width), zero-filled.
// element(row, column) gives the matrix.
template <class Element>
void pack_panels(std::int64_t rows, std::int64_t columns, std::int64_t width, Element element,
                 float* panels) {
  for (std::int64_t first = 0; first < columns; first += width) {
    const std::int64_t some = std::min(width, columns - first);
    for (std::int64_t row = 0; row < rows; ++row, panels += width) {
      for (std::int64_t j = 0; j < some; ++j) panels[j] = element(row, first + j);
      std::fill(panels + some, panels + width, 0.0F);
    }
  }
}

// The stride-1-or-more correlation of one padded plane with packed weights; the result of one panel
// of output channels is left in `pixels` (P·Q, panel).
void correlate(const Plane& plane, std::int64_t r, std::int64_t s, std::int64_t stride,
               std::int64_t p, std::int64_t q, const float* image, const float* panel, int vectors,
               const float* bias, float* pixels) {
  const TileWalk walk{.row = stride * plane.channels,
                      .run_step = plane.width * plane.channels,
                      .step = 1,
                      .runs = r,
                      .length = s * plane.channels};
  for (std::int64_t i = 0; i < p; ++i) {
    tile(q, vectors, image + i * plane.width * stride * plane.channels, walk, panel, {bias, 0},
         pixels + i * q * panel_width(vectors));
  }
}

// Images of one task: about 2 MFLOP.
std::int64_t image_grain(std::int64_t flops_per_image) {
  return std::max<std::int64_t>(1, 2'000'000 / std::max<std::int64_t>(1, flops_per_image));
}

// Every image: scatter, correlate panel by panel, transpose back to (K, P, Q) and add the bias.
struct Correlation {
  Plane plane;      // the padded image
  Placement place;  // of the source image in it
  std::int64_t k, r, s, stride, p, q;
};

void correlate_images(const Correlation& a, std::int64_t n, const float* x, const float* panels,
                      std::span<const float> bias, float* y) {
  const int vectors = panel_vectors(a.k);
  const std::int64_t width = panel_width(vectors), pixels = a.p * a.q;
  const std::int64_t panel_size = a.r * a.s * a.plane.channels * width;
  Buffer<float> start(divide_up(a.k, width) * width);  // the bias, padded
  std::ranges::fill(start.span(), 0.0F);
  std::ranges::copy(bias, start.data());
  parallel_for(n, image_grain(2 * panel_size * pixels), [&](std::int64_t begin, std::int64_t end) {
    Buffer<float> image = zero_image(a.plane);
    Buffer<float> result(pixels * width);
    for (std::int64_t i = begin; i < end; ++i) {
      scatter_image(x + i * a.plane.channels * a.place.h * a.place.w, a.place, a.plane,
                    image.data());
      for (std::int64_t first = 0; first < a.k; first += width) {
        correlate(a.plane, a.r, a.s, a.stride, a.p, a.q, image.data(),
                  panels + first / width * panel_size, vectors, start.data() + first,
                  result.data());
        transpose(pixels, std::min(a.k - first, width), result.data(), width,
                  y + (i * a.k + first) * pixels, pixels);
      }
    }
  });
}

}  // namespace

void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y) {
  const auto& a = shape;
  const std::int64_t width = panel_width(panel_vectors(a.k)), taps = a.r * a.s * a.c;
  Buffer<float> panels(divide_up(a.k, width) * taps * width);
  pack_panels(
      taps, a.k, width,
      [&](std::int64_t tap, std::int64_t k) {  // tap = (r, s, c)
        return w[static_cast<std::size_t>((k * a.c + tap % a.c) * a.r * a.s + tap / a.c)];
      },
      panels.data());
  const Correlation correlation{.plane = {a.h + 2 * a.padding, a.w + 2 * a.padding, a.c},
                                .place = {a.h, a.w, a.padding, a.padding, 1},
                                .k = a.k,
                                .r = a.r,
                                .s = a.s,
                                .stride = a.stride,
                                .p = a.p(),
                                .q = a.q()};
  correlate_images(correlation, a.n, x.data(), panels.data(), bias, y.data());
}

void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx) {
  const auto& a = shape;
  const std::int64_t width = panel_width(panel_vectors(a.c)), taps = a.r * a.s * a.k;
  Buffer<float> panels(divide_up(a.c, width) * taps * width);
  pack_panels(
      taps, a.c, width,
      [&](std::int64_t tap, std::int64_t c) {  // tap = (r, s, k), rotated
        const std::int64_t rotated = a.r * a.s - 1 - tap / a.k;
        return w[static_cast<std::size_t>((tap % a.k * a.c + c) * a.r * a.s + rotated)];
      },
      panels.data());
  const Correlation correlation{
      .plane = {a.h + a.r - 1, a.w + a.s - 1, a.k},
      .place = {a.p(), a.q(), a.r - 1 - a.padding, a.s - 1 - a.padding, a.stride},
      .k = a.c,
      .r = a.r,
      .s = a.s,
      .stride = 1,
      .p = a.h,
      .q = a.w};
  correlate_images(correlation, a.n, dy.data(), panels.data(), {}, dx.data());
}

void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw) {
  const auto& a = shape;
  const int vectors = panel_vectors(a.k);
  const std::int64_t width = panel_width(vectors), panels = divide_up(a.k, width);
  const std::int64_t pixels = a.p() * a.q(), row = a.s * a.c;  // row: (s, c), contiguous in x
  const Plane plane{a.h + 2 * a.padding, a.w + 2 * a.padding, a.c};
  const std::int64_t sums = panels * a.r * row * width;  // (panel, r, (s, c), width)
  const std::int64_t slot = std::max(image_grain(2 * sums * pixels), divide_up(a.n, kSlots));
  const std::int64_t slots = divide_up(a.n, slot);
  Buffer<float> partial(slots * sums);
  const TileWalk walk{.row = 1,
                      .run_step = a.stride * plane.width * a.c,
                      .step = a.stride * a.c,
                      .runs = a.p(),
                      .length = a.q()};
  parallel_for(a.n, slot, [&](std::int64_t begin, std::int64_t end) {
    Buffer<float> image = zero_image(plane);
    Buffer<float> dy_panels(panels * pixels * width);
    float* sum = partial.data() + begin / slot * sums;
    std::fill(sum, sum + sums, 0.0F);
    for (std::int64_t i = begin; i < end; ++i) {
      scatter_image(x.data() + i * a.c * a.h * a.w, {a.h, a.w, a.padding, a.padding, 1}, plane,
                    image.data());
      for (std::int64_t first = 0; first < a.k; first += width) {
        transpose(std::min(a.k - first, width), pixels, dy.data() + (i * a.k + first) * pixels,
                  pixels, dy_panels.data() + first * pixels, width);
      }
      for (std::int64_t pr = 0; pr < panels * a.r; ++pr) {
        float* c = sum + pr * row * width;
        tile(row, vectors, image.data() + pr % a.r * plane.width * a.c, walk,
             dy_panels.data() + pr / a.r * pixels * width, {c, width}, c);
      }
    }
  });
  for (std::int64_t k = 0; k < a.k; ++k)
    for (std::int64_t c = 0; c < a.c; ++c)
      for (std::int64_t r = 0; r < a.r; ++r)
        for (std::int64_t s = 0; s < a.s; ++s) {
          const std::int64_t at = ((k / width * a.r + r) * row + s * a.c + c) * width + k % width;
          float total = 0;
          for (std::int64_t j = 0; j < slots; ++j) total += partial[j * sums + at];
          dw[static_cast<std::size_t>(((k * a.c + c) * a.r + r) * a.s + s)] = total;
        }
}

}  // namespace terse::kernels::direct
