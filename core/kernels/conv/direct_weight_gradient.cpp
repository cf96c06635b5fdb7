// Direct weight gradient:
//
//   dw[r, (s, c), k] = sum over pixels of x[pixel + r, (s, c)] · dy[pixel, k]
//
// The rows of a register tile are some adjacent (s, c) of the padded x, which are contiguous there.
// Its columns are a panel of output channels, and its steps are the pixels of the task, named by a
// list. Pixels are processed in ranges whose panel of dy stays in the L1 cache.
//
// With few weights, images are divided into a fixed number of slots. Each slot has its own sums,
// which are added in order at the end. With many weights, all images are copied first; then each
// task sums over all of them for one panel and one kernel row, so there are no partial sums to add.
#include <algorithm>

#include "tersegrad/core/kernels/conv/conv2d.hpp"
#include "tersegrad/core/kernels/conv/narrow.hpp"
#include "tersegrad/core/kernels/conv/plane.hpp"
#include "tersegrad/core/kernels/tile.hpp"
#include "tersegrad/core/kernels/transpose.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse::kernels::direct {
namespace {

constexpr std::int64_t kStretch = 192;            // pixels: 12 KB of a panel of dy
constexpr std::int64_t kManyWeights = 128 << 10;  // floats that fit in the L2 cache

// The gradient of one group.
struct Gradient {
  Gradient(const ConvShape& a, std::int64_t group)
      : shape(a),
        c(a.c / a.groups),
        k(a.k / a.groups),
        x({a.n, a.c, group * c, c, a.h, a.w}),
        dy({a.n, a.k, group * k, k, a.p(), a.q()}),
        plane({a.h + 2 * a.padding, a.w + 2 * a.padding, pitch(c), a.padding, a.padding}),
        vectors(panel_vectors(k)),
        width(panel_width(vectors)),
        panels(divide_up(k, width)),
        row_sums(a.s * c * width),
        sums(panels * a.r * row_sums),
        taps(few_taps() ? a.r * a.s * c : 0),
        targets(taps.span().size()) {
    for (std::int64_t i = 0; i < std::ssize(taps.span()); ++i) {
      taps[i] = static_cast<std::int32_t>(i / (a.s * c) * plane.at(1, 0) + i % (a.s * c));
      targets[i] = static_cast<std::int32_t>(i);
    }
  }

  // Whether a kernel row has too few taps to fill a tile. All kernel rows are then
  // processed together.
  bool few_taps() const { return vectors == 1 && shape.s * c < 8 && plane.pitch == c; }

  // The pitch of pixels. Multiples of 64 floats are avoided, because pixels at such distances
  // compete for the same few sets of the cache.
  static std::int64_t pitch(std::int64_t channels) {
    return channels % 64 == 0 ? channels + 16 : channels;
  }

  ConvShape shape;
  std::int64_t c, k;
  ImageSlice x, dy;
  Plane plane;
  int vectors;
  std::int64_t width, panels;
  std::int64_t row_sums, sums;         // (panel, r, s, c, width)
  Buffer<std::int32_t> taps, targets;  // if few_taps: (r, s, c) of all kernel rows
};

// The places of the pixels of `images` images in their planes.
Buffer<std::int32_t> pixel_places(const Gradient& a, std::int64_t images) {
  Buffer<std::int32_t> places(images * a.dy.pixels());
  std::int64_t i = 0;
  for (std::int64_t n = 0; n < images; ++n)
    for (std::int64_t p = 0; p < a.dy.h; ++p)
      for (std::int64_t q = 0; q < a.dy.w; ++q)
        places[i++] = static_cast<std::int32_t>(n * a.plane.size() +
                                                a.plane.at(p * a.shape.stride, q * a.shape.stride));
  return places;
}

// Copies dy of images [begin, end) to panels (panel, pixel, width); panels are `step` pixels apart.
void copy_to_panels(const Gradient& a, const float* dy, std::int64_t begin, std::int64_t end,
                    std::int64_t step, float* panels) {
  for (std::int64_t n = begin; n < end; ++n) {
    for (std::int64_t panel = 0; panel < a.panels; ++panel) {
      transpose(std::min(a.width, a.k - panel * a.width), a.dy.pixels(),
                dy + a.dy.offset(n) + panel * a.width * a.dy.pixels(), a.dy.pixels(),
                panels + (panel * step + (n - begin) * a.dy.pixels()) * a.width, a.width);
    }
  }
}

// Adds the terms of `pixels` to the sums (s, c, width) of one panel and one kernel row.
void add_row(const Gradient& a, const float* row, const ListedSteps& pixels, const float* panel,
             bool add, float* sums) {
  const bool contiguous = a.plane.pitch == a.c;
  const std::int64_t calls = contiguous ? 1 : a.shape.s, rows = a.shape.s * a.c / calls;
  for (std::int64_t s = 0; s < calls; ++s) {
    tile(rows, a.vectors, row + s * a.plane.pitch, AdjacentRows{}, pixels, panel, {.add = add},
         sums + s * rows * a.width);
  }
}

// Like add_row, for all kernel rows: sums (r, s, c, width).
void add_rows(const Gradient& a, const float* plane, const ListedSteps& pixels, const float* panel,
              bool add, float* sums) {
  if (a.few_taps()) {
    tile(std::ssize(a.taps.span()), plane, ListedRows{a.taps.data(), a.targets.data()}, pixels,
         panel, {.add = add}, sums);
    return;
  }
  for (std::int64_t r = 0; r < a.shape.r; ++r)
    add_row(a, plane + a.plane.at(r, 0), pixels, panel, add, sums + r * a.row_sums);
}

void sum_by_slots(const Gradient& a, std::int64_t slot, const float* x, const float* dy,
                  float* partial) {
  const std::int64_t pixels = a.dy.pixels();
  const std::int64_t at_once = std::min(slot, divide_up(kStretch, pixels));
  const Buffer<std::int32_t> places = pixel_places(a, at_once);
  parallel_for(a.x.n, slot, [&](std::int64_t begin, std::int64_t end) {
    Buffer<float> planes = zero_planes(a.plane, at_once);
    Buffer<float> panels(a.panels * at_once * pixels * a.width);
    std::ranges::fill(panels.span(), 0.0F);
    float* sums = partial + begin / slot * a.sums;
    std::fill(sums, sums + a.sums, 0.0F);
    for (std::int64_t n = begin; n < end; n += at_once) {
      const std::int64_t last = std::min(end, n + at_once), count = (last - n) * pixels;
      copy_to_planes(a.x, x, n, last, a.plane, {a.shape.stride, a.shape.r}, planes.data());
      copy_to_panels(a, dy, n, last, at_once * pixels, panels.data());
      for (std::int64_t i = 0; i < count; i += kStretch) {
        const ListedSteps steps{places.data() + i, std::min(kStretch, count - i)};
        for (std::int64_t panel = 0; panel < a.panels; ++panel) {
          add_rows(a, planes.data(), steps,
                   panels.data() + (panel * at_once * pixels + i) * a.width, true,
                   sums + panel * a.shape.r * a.row_sums);
        }
      }
    }
  });
}

void sum_by_panels(const Gradient& a, const float* x, const float* dy, float* sums) {
  const std::int64_t pixels = a.x.n * a.dy.pixels();
  const Buffer<std::int32_t> places = pixel_places(a, a.x.n);
  Buffer<float> planes(a.x.n * a.plane.size()), panels(a.panels * pixels * a.width);
  parallel_for(a.x.n, 1, [&](std::int64_t n, std::int64_t) {
    float* plane = planes.data() + n * a.plane.size();
    std::fill(plane, plane + a.plane.size(), 0.0F);
    copy_to_planes(a.x, x, n, n + 1, a.plane, {a.shape.stride, a.shape.r}, plane);
    copy_to_panels(a, dy, n, n + 1, pixels, panels.data() + n * a.dy.pixels() * a.width);
  });
  parallel_for(a.panels * a.shape.r, 1, [&](std::int64_t pr, std::int64_t) {
    for (std::int64_t i = 0; i < pixels; i += kStretch) {
      add_row(a, planes.data() + a.plane.at(pr % a.shape.r, 0),
              {places.data() + i, std::min(kStretch, pixels - i)},
              panels.data() + (pr / a.shape.r * pixels + i) * a.width, i > 0,
              sums + pr * a.row_sums);
    }
  });
}

// Adds the slots in order and transposes the sums (panel, r, s, c, width) to (K, C, R, S).
void write_gradient(const Gradient& a, std::int64_t slots, float* partial, float* dw) {
  const std::int64_t taps = a.shape.r * a.shape.s, panel_sums = a.shape.r * a.row_sums;
  parallel_for(a.panels, 1, [&](std::int64_t panel, std::int64_t) {
    float* sums = partial + panel * panel_sums;
    for (std::int64_t slot = 1; slot < slots; ++slot) {
      const float* more = sums + slot * a.sums;
      vectorized([=] {
        for (std::int64_t i = 0; i < panel_sums; ++i) sums[i] += more[i];
      });
    }
    const std::int64_t some = std::min(a.width, a.k - panel * a.width);
    float* to = dw + (a.dy.first + panel * a.width) * a.c * taps;
    if (taps == 1) {
      transpose(a.c, some, sums, a.width, to, a.c);
      return;
    }
    for (std::int64_t i = 0; i < a.c; ++i)
      transpose(taps, some, sums + i * a.width, a.c * a.width, to + i * taps, a.c * taps);
  });
}

}  // namespace

void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw) {
  // With few output channels, and rows that fill at least half a vector, see narrow.cpp.
  if (shape.stride == 1 && shape.groups == 1 && shape.k <= kNarrow &&
      2 * shape.q() >= vector_width()) {
    narrow_weight_gradient(
        {shape.n, shape.c, shape.h, shape.w, shape.k, shape.r, shape.s, shape.padding}, x.data(),
        dy.data(), dw.data());
    return;
  }
  for (std::int64_t group = 0; group < shape.groups; ++group) {
    const Gradient a(shape, group);
    if (a.sums >= kManyWeights && a.x.n > 0) {
      Buffer<float> sums(a.sums);
      sum_by_panels(a, x.data(), dy.data(), sums.data());
      write_gradient(a, 1, sums.data(), dw.data());
      continue;
    }
    const std::int64_t products = std::max<std::int64_t>(1, a.sums * a.dy.pixels());
    const std::int64_t slot = std::max(1'000'000 / products + 1, divide_up(a.x.n, 8));
    const std::int64_t slots = std::max<std::int64_t>(1, divide_up(a.x.n, slot));
    Buffer<float> partial(slots * a.sums);
    if (a.x.n == 0) std::ranges::fill(partial.span(), 0.0F);
    sum_by_slots(a, slot, x.data(), dy.data(), partial.data());
    write_gradient(a, slots, partial.data(), dw.data());
  }
}

}  // namespace terse::kernels::direct
