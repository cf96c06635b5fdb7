// Direct correlation with few output channels, and its weight gradient. A panel of so few channels
// would be partly empty, so vectors hold adjacent pixels of a row of the image:
//
//   y[k, pixels] = sum over (r, c, s) of w[k, (r, c, s)] · x[c, row + r, pixels + s]
//   dw[k, (c, r, s)] = sum over pixels of dy[k, pixels] · x[c, row + r, pixels + s]
//
// x is copied to a zero-padded (C, H', W') without transposition. For y the register tile has
// output channels as rows and two vectors of pixels as columns. The steps of the panel are a
// list of places in x, the same for each kernel row. If an output row fits in one vector, the
// second vector holds pixels of the row below. For dw each sum is a vector, whose lanes are
// added at the end.
#include "tersegrad/core/kernels/conv/narrow.hpp"

#include <algorithm>
#include <utility>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/kernels/tile.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse::kernels {
namespace {

// A zero-padded image (C, height, width). Rows end with unused floats, so that the last vectors of
// pixels may read beyond the image. One more row is added below, for a panel of two rows.
class PaddedImage {
 public:
  explicit PaddedImage(const NarrowCorrelation& a)
      : a_(a), width_(row(a)), plane_(plane(a)), values_(a.c * plane_) {
    std::ranges::fill(values_.span(), 0.0F);
  }
  static std::int64_t row(const NarrowCorrelation& a) {
    return a.w + 2 * a.padding + panel_width(2);
  }
  static std::int64_t plane(const NarrowCorrelation& a) {
    return (a.h + 2 * a.padding + 1) * row(a);
  }

  const float* read(const float* image) {
    for (std::int64_t c = 0; c < a_.c; ++c)
      for (std::int64_t i = 0; i < a_.h; ++i)
        std::copy_n(image + (c * a_.h + i) * a_.w, a_.w,
                    values_.data() + c * plane_ + (i + a_.padding) * width_ + a_.padding);
    return values_.data();
  }

 private:
  const NarrowCorrelation& a_;
  std::int64_t width_, plane_;
  Buffer<float> values_;
};

// The kernel rows [first, last) that overlap the image at row i of y or at the other row of
// its pair; the others would only multiply zeros. The pairs are the same at every level, since
// 0 · NaN is NaN.
std::pair<std::int64_t, std::int64_t> kernel_rows(const NarrowCorrelation& a, std::int64_t i) {
  const std::int64_t top = i / 2 * 2;
  const std::int64_t first = std::clamp<std::int64_t>(a.padding - top - 1, 0, a.r);
  return {first, std::clamp<std::int64_t>(a.padding + a.h - top, first, a.r)};
}

// Images in one task: about 2 MFLOP.
std::int64_t image_grain(const NarrowCorrelation& a) {
  const std::int64_t flops = 2 * a.k * a.r * a.c * a.s * a.p() * a.q();
  return 1'000'000 / std::max<std::int64_t>(1, flops) + 1;
}

}  // namespace

void correlate_narrow(const NarrowCorrelation& a, const float* x, const float* w, const float* bias,
                      float* y) {
  const std::int64_t p = a.p(), q = a.q(), vector = vector_width(), row_taps = a.c * a.s;
  const std::int64_t rows = q <= vector ? 2 : 1;                     // of y in a panel
  const std::int64_t columns = rows == 2 ? vector : panel_width(2);  // of y in a panel
  const std::int64_t width = PaddedImage::row(a), plane = PaddedImage::plane(a);
  Buffer<std::int32_t> places(row_taps);  // places of one kernel row
  for (std::int64_t c = 0; c < a.c; ++c)
    for (std::int64_t s = 0; s < a.s; ++s)
      places[c * a.s + s] = static_cast<std::int32_t>(c * plane + s);
  parallel_for(a.n, image_grain(a), [&](std::int64_t begin, std::int64_t end) {
    PaddedImage padded(a);
    for (std::int64_t n = begin; n < end; ++n) {
      const float* image = padded.read(x + n * a.c * a.h * a.w);
      for (std::int64_t i = 0; i < p; i += rows) {
        const auto [first_run, last_run] = kernel_rows(a, i);
        const PixelSteps steps{.run = {places.data(), row_taps},
                               .run_step = width,
                               .runs = last_run - first_run,
                               .second = rows == 2 ? width : vector};
        for (std::int64_t j = 0; j < q; j += columns) {
          const std::int64_t first = std::min(vector, q - j);
          const std::int64_t second = rows == 1    ? std::max<std::int64_t>(0, q - j - vector)
                                      : i + 1 == p ? 0
                                                   : first;
          const PixelTarget target{.c = y + (n * a.k * p + i) * q + j,
                                   .row = p * q,
                                   .second = rows == 1 ? vector : q,
                                   .columns = {first, std::min(vector, second)}};
          tile_of_pixels(a.k, w + first_run * row_taps, {a.r * row_taps}, steps,
                         image + (i + first_run) * width + j, bias, target);
        }
      }
    }
  });
}

// Images are divided into at most 8 slots. Each slot has its own sums (k, c, r, s, vector); the
// slots are added in order.
void narrow_weight_gradient(const NarrowCorrelation& a, const float* x, const float* dy,
                            float* dw) {
  const std::int64_t p = a.p(), q = a.q(), vector = vector_width();
  const std::int64_t taps = a.c * a.r * a.s, size = a.k * taps * vector;
  const std::int64_t slot = std::max(image_grain(a), divide_up(a.n, 8));
  const std::int64_t slots = divide_up(a.n, slot);
  const std::int64_t width = PaddedImage::row(a), plane = PaddedImage::plane(a);
  const TapPixels pixels{.rows = p,
                         .columns = q,
                         .x_row = width,
                         .dy_row = q,
                         .channel = p * q,
                         .sums_row = taps * vector};
  Buffer<float> partial(slots * size);
  parallel_for(a.n, slot, [&](std::int64_t begin, std::int64_t end) {
    PaddedImage padded(a);
    float* sums = partial.data() + begin / slot * size;
    std::fill_n(sums, size, 0.0F);
    for (std::int64_t n = begin; n < end; ++n) {
      const float* image = padded.read(x + n * a.c * a.h * a.w);
      for (std::int64_t c = 0; c < a.c; ++c)
        for (std::int64_t r = 0; r < a.r; ++r)
          tile_of_taps(a.k, a.s, pixels, image + c * plane + r * width, dy + n * a.k * p * q,
                       sums + (c * a.r + r) * a.s * vector);
    }
  });
  for (std::int64_t i = 0; i < a.k * taps; ++i) {
    double sum = 0;
    for (std::int64_t at = 0; at < slots; ++at)
      for (std::int64_t lane = 0; lane < vector; ++lane)
        sum += static_cast<double>(partial[at * size + i * vector + lane]);
    dw[i] = static_cast<float>(sum);
  }
}

}  // namespace terse::kernels
