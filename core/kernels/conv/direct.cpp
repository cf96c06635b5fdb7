// Direct convolution, without a column buffer.
//
// Images are copied to zero-padded planes (H', W', C), in which the S·C inputs of one kernel row
// are contiguous. An output pixel is then a sum over R contiguous ranges of length S·C. A register
// tile computes some pixels, named by a list, times a panel of output channels. Several small
// images are processed at once, and long sums are cut into parts, so that a part of a panel is used
// many times while it is in the L1 cache.
//
// The data gradient with stride s is s² such convolutions of dy, all with stride 1: the pixels (h,
// w) of dx with the same (h + padding) mod s and (w + padding) mod s use the same taps of w, every
// s-th in each direction, rotated by 180 degrees.
#include <algorithm>

#include "tersegrad/core/kernels/conv/conv2d.hpp"
#include "tersegrad/core/kernels/conv/narrow.hpp"
#include "tersegrad/core/kernels/conv/plane.hpp"
#include "tersegrad/core/kernels/tile.hpp"
#include "tersegrad/core/kernels/transpose.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse::kernels::direct {
namespace {

// Pixels of the result that use the same r·s taps.
struct PixelClass {
  std::int64_t r, s;
  std::int64_t first, pixels;  // pixels: of one image; first: sum over the classes before
  std::int64_t panels;         // offset of the packed weights
};

// One group of a correlation: input images, output images, and the taps that each pixel uses.
struct Correlation {
  Correlation(const ImageSlice& in_images, const ImageSlice& out_images, const Plane& padded,
              const RowsRead& rows, std::int64_t class_count)
      : in(in_images),
        out(out_images),
        plane(padded),
        read(rows),
        vectors(panel_vectors(out.channels)),
        width(panel_width(vectors)),
        panels(divide_up(out.channels, width)),
        at_once(std::clamp<std::int64_t>(divide_up(96, out.pixels()), 1,
                                         std::max<std::int64_t>(1, in.n))),
        count(class_count),
        classes(class_count),
        places(at_once * out.pixels()),
        targets(at_once * out.pixels()) {}

  // Adds class `number`: rows and columns first + i · step of the result. Their taps begin at row
  // (and column) place + i · place_step of the plane.
  struct Axis {
    std::int64_t taps, first, step, end, place, place_step;
    std::int64_t size() const { return first < end ? (end - first - 1) / step + 1 : 0; }
  };
  void add(std::int64_t number, const Axis& rows, const Axis& columns);

  ImageSlice in, out;
  Plane plane;
  RowsRead read;
  int vectors;
  std::int64_t width, panels;
  std::int64_t at_once;  // images processed at once
  std::int64_t count;
  Buffer<PixelClass> classes;
  Buffer<std::int32_t> places, targets;  // for the pixels of every class in `at_once` images
};

void Correlation::add(std::int64_t number, const Axis& rows, const Axis& columns) {
  PixelClass& a = classes[number];
  a = {.r = rows.taps,
       .s = columns.taps,
       .first = 0,
       .pixels = rows.size() * columns.size(),
       .panels = 0};
  if (number > 0) {
    const PixelClass& before = classes[number - 1];
    a.first = before.first + before.pixels;
    a.panels = before.panels + panels * before.r * before.s * in.channels * width;
  }
  std::int64_t i = at_once * a.first;
  for (std::int64_t n = 0; n < at_once; ++n) {
    for (std::int64_t row = 0; row < rows.size(); ++row) {
      for (std::int64_t column = 0; column < columns.size(); ++column, ++i) {
        places[i] = static_cast<std::int32_t>(
            n * plane.size() + plane.at(rows.place + row * rows.place_step,
                                        columns.place + column * columns.place_step));
        targets[i] =
            static_cast<std::int32_t>(n * out.pixels() + (rows.first + row * rows.step) * out.w +
                                      columns.first + column * columns.step);
      }
    }
  }
}

// Computes the pixels of one class in some images; the sums begin with the bias.
void correlate_class(const Correlation& a, const PixelClass& pixels, std::int64_t images,
                     const float* planes, const float* panel, const float* bias, float* result) {
  constexpr std::int64_t kStretch = 384;  // steps: 24 KB of a panel of 16 columns
  const std::int64_t rows = images * pixels.pixels, length = pixels.s * a.in.channels;
  const ListedRows where{a.places.data() + a.at_once * pixels.first,
                         a.targets.data() + a.at_once * pixels.first};
  const std::int64_t run = a.plane.width * a.plane.pitch;
  if (pixels.r * length <= kStretch) {
    const EvenSteps steps{.step = 1, .length = length, .run_step = run, .runs = pixels.r};
    tile(rows, a.vectors, planes, where, steps, panel, {bias}, result);
    return;
  }
  const std::int64_t parts = divide_up(length, kStretch);
  for (std::int64_t r = 0; r < pixels.r; ++r) {
    for (std::int64_t part = 0; part < parts; ++part) {
      const std::int64_t begin = length * part / parts, end = length * (part + 1) / parts;
      tile(rows, a.vectors, planes + r * run + begin, where,
           EvenSteps{.step = 1, .length = end - begin}, panel + (r * length + begin) * a.width,
           {.values = bias, .add = r + part > 0}, result);
    }
  }
}

// Computes panels [first, last) of images [begin, end), at most `at_once`, which are
// already in planes.
void correlate_panels(const Correlation& a, std::int64_t begin, std::int64_t end,
                      std::int64_t first, std::int64_t last, const float* planes,
                      const float* weights, const float* bias, float* result, float* y) {
  for (std::int64_t panel = first; panel < last; ++panel) {
    for (std::int64_t i = 0; i < a.count; ++i) {
      const PixelClass& pixels = *(a.classes.data() + i);
      correlate_class(
          a, pixels, end - begin, planes,
          weights + pixels.panels + panel * pixels.r * pixels.s * a.in.channels * a.width,
          bias + panel * a.width, result);
    }
    for (std::int64_t n = begin; n < end; ++n) {
      transpose(a.out.pixels(), std::min(a.width, a.out.channels - panel * a.width),
                result + (n - begin) * a.out.pixels() * a.width, a.width,
                y + a.out.offset(n) + panel * a.width * a.out.pixels(), a.out.pixels());
    }
  }
}

// Images in one task: about 2 MFLOP.
std::int64_t image_grain(const Correlation& a) {
  std::int64_t products = 0;  // of one image
  for (std::int64_t i = 0; i < a.count; ++i) {
    const PixelClass& pixels = *(a.classes.data() + i);
    products += pixels.pixels * pixels.r * pixels.s * a.in.channels * a.panels * a.width;
  }
  return divide_up(1'000'000 / std::max<std::int64_t>(1, products) + 1, a.at_once) * a.at_once;
}

// A task is some images and some panels: all panels, unless there are few images.
void correlate(const Correlation& a, const float* x, const float* weights,
               std::span<const float> bias, float* y) {
  Buffer<float> start(a.panels * a.width);  // the bias, padded with zeros
  std::ranges::fill(start.span(), 0.0F);
  if (!bias.empty()) std::copy_n(bias.data() + a.out.first, a.out.channels, start.data());
  const std::int64_t grain = image_grain(a), groups = divide_up(a.in.n, grain);
  const std::int64_t parts =
      std::clamp<std::int64_t>(8 / std::max<std::int64_t>(1, groups), 1, a.panels);
  parallel_for(groups * parts, 1, [&](std::int64_t task, std::int64_t) {
    const std::int64_t part = task % parts, begin = task / parts * grain;
    Buffer<float> planes = zero_planes(a.plane, a.at_once);
    Buffer<float> result(a.at_once * a.out.pixels() * a.width);
    const std::int64_t end = std::min(a.in.n, begin + grain);
    for (std::int64_t n = begin; n < end; n += a.at_once) {
      const std::int64_t last = std::min(end, n + a.at_once);
      copy_to_planes(a.in, x, n, last, a.plane, a.read, planes.data());
      correlate_panels(a, n, last, a.panels * part / parts, a.panels * (part + 1) / parts,
                       planes.data(), weights, start.data(), result.data(), y);
    }
  });
}

// Packs w (K, C / groups, R, S) of one group in panels of output channels: (panel, r, s, c, width).
Buffer<float> pack_forward(const ConvShape& a, const Correlation& correlation, const float* w) {
  const std::int64_t c = correlation.in.channels, width = correlation.width, taps = a.r * a.s;
  Buffer<float> packed(correlation.panels * taps * c * width);
  std::ranges::fill(packed.span(), 0.0F);
  parallel_for(correlation.panels, 1, [&](std::int64_t panel, std::int64_t) {
    const std::int64_t some = std::min(width, correlation.out.channels - panel * width);
    const float* from = w + (correlation.out.first + panel * width) * c * taps;
    float* to = packed.data() + panel * taps * c * width;
    if (taps == 1) {
      transpose(some, c, from, c, to, width);
      return;
    }
    for (std::int64_t i = 0; i < c; ++i)
      transpose(some, taps, from + i * taps, c * taps, to + i * width, c * width);
  });
  return packed;
}

// Packs w for the data gradient: (class, panel of input channels, r, s, k, width). Each class has
// its own taps, in reverse order.
Buffer<float> pack_backward(const ConvShape& a, const Correlation& correlation, const float* w) {
  const std::int64_t c = correlation.out.channels, k = correlation.in.channels;
  const std::int64_t width = correlation.width, taps = a.r * a.s;
  Buffer<float> packed(correlation.panels * taps * k * width);
  parallel_for(correlation.panels, 1, [&](std::int64_t panel, std::int64_t) {
    const std::int64_t some = std::min(width, c - panel * width);
    Buffer<float> all(taps * width);  // the taps of one k
    std::ranges::fill(all.span(), 0.0F);
    for (std::int64_t i = 0; i < k; ++i) {
      transpose(some, taps, w + ((correlation.in.first + i) * c + panel * width) * taps, taps,
                all.data(), width);
      for (std::int64_t r = 0; r < a.r; ++r) {
        for (std::int64_t s = 0; s < a.s; ++s) {
          const PixelClass& seen =
              *(correlation.classes.data() + r % a.stride * a.stride + s % a.stride);
          const std::int64_t tap = (seen.r - 1 - r / a.stride) * seen.s + seen.s - 1 - s / a.stride;
          std::copy_n(
              all.data() + (r * a.s + s) * width, width,
              packed.data() + seen.panels + ((panel * seen.r * seen.s + tap) * k + i) * width);
        }
      }
    }
  });
  return packed;
}

// The pixels of dx along one axis of length `size` that use the taps r with r mod stride = rest,
// since h + padding = p · stride + r. dy has `top` zeros in front.
Correlation::Axis data_gradient_axis(const ConvShape& a, std::int64_t rest, std::int64_t kernel,
                                     std::int64_t size, std::int64_t top) {
  const std::int64_t taps = divide_up(std::max<std::int64_t>(0, kernel - rest), a.stride);
  const std::int64_t first = ((rest - a.padding) % a.stride + a.stride) % a.stride;
  const std::int64_t p = (first + a.padding - rest) / a.stride;  // of the first pixel
  return {.taps = taps,
          .first = first,
          .step = a.stride,
          .end = size,
          .place = top + p - std::max<std::int64_t>(0, taps - 1),
          .place_step = 1};
}

// The forward pass with few output channels (narrow.cpp).
void forward_narrow(const ConvShape& a, const float* x, std::span<const float> w,
                    std::span<const float> bias, float* y) {
  Buffer<float> packed(static_cast<std::int64_t>(w.size()));  // (K, C, R, S) -> (K, R, C, S)
  for (std::int64_t i = 0; i < a.k * a.c * a.r; ++i) {
    const std::int64_t k = i / (a.c * a.r), c = i / a.r % a.c, r = i % a.r;
    std::copy_n(w.data() + i * a.s, a.s, packed.data() + ((k * a.r + r) * a.c + c) * a.s);
  }
  correlate_narrow({a.n, a.c, a.h, a.w, a.k, a.r, a.s, a.padding}, x, packed.data(),
                   bias.empty() ? nullptr : bias.data(), y);
}

// The data gradient with few input channels, a square kernel and padding < R: a correlation of dy
// with the kernel rotated by 180 degrees.
void data_gradient_narrow(const ConvShape& a, const float* dy, std::span<const float> w,
                          float* dx) {
  Buffer<float> packed(static_cast<std::int64_t>(w.size()));  // (K, C, R, S) -> (C, R, K, S)
  for (std::int64_t i = 0; i < a.k * a.c * a.r; ++i) {
    const std::int64_t k = i / (a.c * a.r), c = i / a.r % a.c, r = a.r - 1 - i % a.r;
    std::reverse_copy(w.data() + i * a.s, w.data() + (i + 1) * a.s,
                      packed.data() + ((c * a.r + r) * a.k + k) * a.s);
  }
  correlate_narrow({a.n, a.k, a.p(), a.q(), a.c, a.r, a.s, a.r - 1 - a.padding}, dy, packed.data(),
                   nullptr, dx);
}

}  // namespace

void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y) {
  const auto& a = shape;
  if (a.stride == 1 && a.groups == 1 && a.k <= kNarrow) {
    forward_narrow(a, x.data(), w, bias, y.data());
    return;
  }
  const std::int64_t c = a.c / a.groups, k = a.k / a.groups;
  const Plane plane{a.h + 2 * a.padding, a.w + 2 * a.padding, c, a.padding, a.padding};
  for (std::int64_t group = 0; group < a.groups; ++group) {
    Correlation correlation({a.n, a.c, group * c, c, a.h, a.w},
                            {a.n, a.k, group * k, k, a.p(), a.q()}, plane, {a.stride, a.r}, 1);
    correlation.add(0, {a.r, 0, 1, a.p(), 0, a.stride}, {a.s, 0, 1, a.q(), 0, a.stride});
    const Buffer<float> packed = pack_forward(a, correlation, w.data());
    correlate(correlation, x.data(), packed.data(), bias, y.data());
  }
}

void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx) {
  const auto& a = shape;
  if (a.stride == 1 && a.groups == 1 && a.c <= kNarrow && a.r == a.s && a.padding < a.r) {
    data_gradient_narrow(a, dy.data(), w, dx.data());
    return;
  }
  const std::int64_t c = a.c / a.groups, k = a.k / a.groups;
  const std::int64_t top = divide_up(a.r, a.stride) - 1, left = divide_up(a.s, a.stride) - 1;
  const Plane plane{.height = top + std::max(a.p(), (a.h - 1 + a.padding) / a.stride + 1),
                    .width = left + std::max(a.q(), (a.w - 1 + a.padding) / a.stride + 1),
                    .pitch = k,
                    .top = top,
                    .left = left};
  for (std::int64_t group = 0; group < a.groups; ++group) {
    Correlation correlation({a.n, a.k, group * k, k, a.p(), a.q()},
                            {a.n, a.c, group * c, c, a.h, a.w}, plane, {1, 1}, a.stride * a.stride);
    for (std::int64_t i = 0; i < a.stride; ++i) {
      for (std::int64_t j = 0; j < a.stride; ++j) {
        correlation.add(i * a.stride + j, data_gradient_axis(a, i, a.r, a.h, top),
                        data_gradient_axis(a, j, a.s, a.w, left));
      }
    }
    const Buffer<float> packed = pack_backward(a, correlation, w.data());
    correlate(correlation, dy.data(), packed.data(), {}, dx.data());
  }
}

}  // namespace terse::kernels::direct
