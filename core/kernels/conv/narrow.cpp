// Direct correlation with few output channels: fewer than the lanes of a panel, which would be
// partly empty. Here the register tile has output channels as rows and pixels as columns, two
// vectors of them beside each other in a row of the image:
//
//   y[k, pixels] = sum over (r, c, s) of w[k, (r, c, s)] · x[c, row + r, pixels + s]
//
// x stays as it is, (C, H', W') with zeros around it, so nothing is transposed; the steps of the
// panel are a list of places in x, the same for each kernel row. Where a vector is as wide as the
// image, the second one is of the row below. Kernel rows that see only padding are left out.
#include "core/kernels/conv/narrow.hpp"

#include <algorithm>

#include "core/buffer.hpp"
#include "core/kernels/tile.hpp"
#include "core/parallel.hpp"

namespace terse::kernels {

void correlate_narrow(const NarrowCorrelation& a, const float* x, const float* w, const float* bias,
                      float* y) {
  const std::int64_t p = a.h + 2 * a.padding - a.r + 1, q = a.w + 2 * a.padding - a.s + 1;
  const std::int64_t vector = vector_width(), panel = panel_width(2), row_taps = a.c * a.s;
  const std::int64_t rows = q <= vector ? 2 : 1;            // of y in a panel
  const std::int64_t columns = rows == 2 ? vector : panel;  // of y in a panel
  // Rows end in slack, so that the last panel of pixels may read past the image; above and below
  // are rows of zeros, for a panel of two rows.
  const std::int64_t width = a.w + 2 * a.padding + panel;
  const std::int64_t height = a.h + 2 * a.padding + 1, plane = height * width;
  Buffer<std::int32_t> places(row_taps);  // of one kernel row
  for (std::int64_t c = 0; c < a.c; ++c)
    for (std::int64_t s = 0; s < a.s; ++s)
      places[c * a.s + s] = static_cast<std::int32_t>(c * plane + s);
  const std::int64_t flops = 2 * a.k * a.r * row_taps * p * q;
  const std::int64_t grain = 1'000'000 / std::max<std::int64_t>(1, flops) + 1;
  parallel_for(a.n, grain, [&](std::int64_t begin, std::int64_t end) {
    Buffer<float> padded(a.c * plane), pixels(a.k * panel);
    std::ranges::fill(padded.span(), 0.0F);
    for (std::int64_t n = begin; n < end; ++n) {
      for (std::int64_t c = 0; c < a.c; ++c)
        for (std::int64_t i = 0; i < a.h; ++i)
          std::copy_n(x + ((n * a.c + c) * a.h + i) * a.w, a.w,
                      padded.data() + c * plane + (i + a.padding) * width + a.padding);
      for (std::int64_t i = 0; i < p; i += rows) {
        // Tap r of output row i reads row i + r of the padded image: the taps of one row at least
        // that see the image.
        const std::int64_t first = std::clamp<std::int64_t>(a.padding - i - rows + 1, 0, a.r);
        const std::int64_t last = std::clamp<std::int64_t>(a.padding + a.h - i, first, a.r);
        const PixelSteps steps{
            {places.data(), row_taps}, width, last - first, rows == 2 ? width : vector};
        for (std::int64_t j = 0; j < q; j += columns) {
          tile_of_pixels(a.k, w + first * row_taps, {a.r * row_taps}, steps,
                         padded.data() + (i + first) * width + j, bias, pixels.data());
          for (std::int64_t k = 0; k < a.k; ++k)
            for (std::int64_t row = 0; row < std::min(rows, p - i); ++row)
              std::copy_n(pixels.data() + k * panel + row * vector, std::min(columns, q - j),
                          y + ((n * a.k + k) * p + i + row) * q + j);
        }
      }
    }
  });
}

}  // namespace terse::kernels
