// Direct correlation with few output channels: fewer than the lanes of a panel, which would be
// partly empty. Here the register tile has output channels as rows and pixels as columns, two
// vectors of them beside each other in a row of the image:
//
//   y[k, pixels] = sum over (r, c, s) of w[k, (r, c, s)] · x[c, row + r, pixels + s]
//
// x stays as it is, (C, H', W') with zeros around it, so nothing is transposed; the steps of the
// panel are a list of places in x, the same for each kernel row. Kernel rows that see only padding
// are left out.
#include "core/kernels/conv/narrow.hpp"

#include <algorithm>

#include "core/buffer.hpp"
#include "core/kernels/tile.hpp"
#include "core/parallel.hpp"

namespace terse::kernels {

void correlate_narrow(const NarrowCorrelation& a, const float* x, const float* w, const float* bias,
                      float* y) {
  const std::int64_t p = a.h + 2 * a.padding - a.r + 1, q = a.w + 2 * a.padding - a.s + 1;
  const std::int64_t panel = panel_width(2), row_taps = a.c * a.s;
  // Rows end in slack, so that the last panel of pixels may read past the image.
  const std::int64_t width = a.w + 2 * a.padding + panel, plane = a.h * width;
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
      for (std::int64_t i = 0; i < a.c * a.h; ++i)
        std::copy_n(x + (n * a.c * a.h + i) * a.w, a.w, padded.data() + i * width + a.padding);
      for (std::int64_t i = 0; i < p; ++i) {
        const std::int64_t top = i - a.padding;  // the row of x that tap 0 reads
        const std::int64_t first = std::clamp<std::int64_t>(-top, 0, a.r);
        const std::int64_t last = std::clamp<std::int64_t>(a.h - top, first, a.r);
        const PixelSteps steps{{places.data(), row_taps}, width, last - first};
        for (std::int64_t j = 0; j < q; j += panel) {
          const float* from = padded.data() + (first < last ? top + first : 0) * width + j;
          tile_of_pixels(a.k, w + first * row_taps, {a.r * row_taps}, steps, from, bias,
                         pixels.data());
          for (std::int64_t k = 0; k < a.k; ++k)
            std::copy_n(pixels.data() + k * panel, std::min(panel, q - j),
                        y + ((n * a.k + k) * p + i) * q + j);
        }
      }
    }
  });
}

}  // namespace terse::kernels
