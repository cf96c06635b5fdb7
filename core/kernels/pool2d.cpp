#include "core/kernels/pool2d.hpp"

#include <algorithm>
#include <limits>

#include "core/parallel.hpp"

namespace terse::kernels {
namespace {

// Planes of one task: about 100 000 window elements.
std::int64_t plane_grain(const PoolShape& a) {
  const std::int64_t work = std::max<std::int64_t>(1, a.p() * a.q() * a.kernel * a.kernel);
  return std::max<std::int64_t>(1, 100'000 / work);
}

// Calls visit(x index, position in the window) for the part of window (p, q) inside the plane.
template <class Visit>
void for_window(const PoolShape& a, std::int64_t p, std::int64_t q, Visit visit) {
  for (std::int64_t r = 0; r < a.kernel; ++r) {
    const std::int64_t h = p * a.stride + r - a.padding;
    if (h < 0 || h >= a.h) continue;
    for (std::int64_t s = 0; s < a.kernel; ++s) {
      const std::int64_t w = q * a.stride + s - a.padding;
      if (w >= 0 && w < a.w) visit(h * a.w + w, r * a.kernel + s);
    }
  }
}

// Windows of 2x2 side by side, the common case, without branches so that it vectorises. `beats` is
// written so that a NaN wins wherever it stands.
bool beats(real challenger, real champion) {
  return (challenger > champion) | (challenger != challenger);
}

void max_pool_2x2(const PoolShape& a, const real* x, real* y, std::uint8_t* where) {
  const std::int64_t columns = a.q();
  for (std::int64_t p = 0; p < a.p(); ++p, y += columns, where += columns) {
    const real* top = x + 2 * p * a.w;
    const real* bottom = top + a.w;
    for (std::int64_t q = 0; q < columns; ++q) {
      const real t0 = top[2 * q], t1 = top[2 * q + 1], b0 = bottom[2 * q], b1 = bottom[2 * q + 1];
      const bool top_right = beats(t1, t0), bottom_right = beats(b1, b0);
      const real t = top_right ? t1 : t0, b = bottom_right ? b1 : b0;
      const bool lower = beats(b, t);
      y[q] = lower ? b : t;
      where[q] = static_cast<std::uint8_t>(lower ? 2 + bottom_right : top_right);
    }
  }
}

void max_pool_2x2_backward(const PoolShape& a, const real* dy, const std::uint8_t* where,
                           real* dx) {
  const std::int64_t columns = a.q();
  for (std::int64_t p = 0; p < a.p(); ++p, dy += columns, where += columns) {
    real* top = dx + 2 * p * a.w;
    real* bottom = top + a.w;
    for (std::int64_t q = 0; q < columns; ++q) {
      const real d = dy[q];
      const int at = where[q];
      top[2 * q] = at == 0 ? d : real{0};
      top[2 * q + 1] = at == 1 ? d : real{0};
      bottom[2 * q] = at == 2 ? d : real{0};
      bottom[2 * q + 1] = at == 3 ? d : real{0};
    }
    if (a.w % 2 != 0) top[a.w - 1] = bottom[a.w - 1] = 0;  // no window reaches the last column
  }
  if (a.h % 2 != 0) std::fill_n(dx + (a.h - 1) * a.w, a.w, real{0});
}

bool is_2x2(const PoolShape& a) { return a.kernel == 2 && a.stride == 2 && a.padding == 0; }

// Calls body(plane) for every plane, in parallel.
template <class Body>
void for_each_plane(const PoolShape& a, Body body) {
  parallel_for(a.planes, plane_grain(a), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) body(plane);
  });
}

}  // namespace

void max_pool2d_forward(const PoolShape& a, std::span<const real> x, std::span<real> y,
                        std::span<std::uint8_t> where) {
  const std::int64_t pixels = a.p() * a.q();
  for_each_plane(a, [&](std::int64_t plane) {
    const real* xs = x.data() + plane * a.h * a.w;
    real* ys = y.data() + plane * pixels;
    std::uint8_t* ws = where.data() + plane * pixels;
    if (is_2x2(a)) {
      max_pool_2x2(a, xs, ys, ws);
      return;
    }
    for (std::int64_t i = 0; i < pixels; ++i) {
      ys[i] = -std::numeric_limits<real>::infinity();
      bool first = true;
      for_window(a, i / a.q(), i % a.q(), [&](std::int64_t at, std::int64_t place) {
        if (first || beats(xs[at], ys[i])) {
          ys[i] = xs[at];
          ws[i] = static_cast<std::uint8_t>(place);
          first = false;
        }
      });
    }
  });
}

void max_pool2d_backward(const PoolShape& a, std::span<const real> dy,
                         std::span<const std::uint8_t> where, std::span<real> dx) {
  const std::int64_t pixels = a.p() * a.q();
  for_each_plane(a, [&](std::int64_t plane) {
    real* dxs = dx.data() + plane * a.h * a.w;
    if (is_2x2(a)) {
      max_pool_2x2_backward(a, dy.data() + plane * pixels, where.data() + plane * pixels, dxs);
      return;
    }
    std::fill(dxs, dxs + a.h * a.w, real{0});
    for (std::int64_t p = 0, i = plane * pixels; p < a.p(); ++p) {
      for (std::int64_t q = 0; q < a.q(); ++q, ++i) {
        const std::int64_t place = where[static_cast<std::size_t>(i)];
        const std::int64_t h = p * a.stride - a.padding + place / a.kernel;
        const std::int64_t w = q * a.stride - a.padding + place % a.kernel;
        dxs[h * a.w + w] += dy[static_cast<std::size_t>(i)];
      }
    }
  });
}

void avg_pool2d_forward(const PoolShape& a, std::span<const real> x, std::span<real> y) {
  const std::int64_t pixels = a.p() * a.q();
  const real scale = real{1} / static_cast<real>(a.kernel * a.kernel);
  for_each_plane(a, [&](std::int64_t plane) {
    const real* xs = x.data() + plane * a.h * a.w;
    real* ys = y.data() + plane * pixels;
    for (std::int64_t i = 0; i < pixels; ++i) {
      real sum = 0;
      for_window(a, i / a.q(), i % a.q(), [&](std::int64_t at, std::int64_t) { sum += xs[at]; });
      ys[i] = sum * scale;
    }
  });
}

void avg_pool2d_backward(const PoolShape& a, std::span<const real> dy, std::span<real> dx) {
  const std::int64_t pixels = a.p() * a.q();
  const real scale = real{1} / static_cast<real>(a.kernel * a.kernel);
  for_each_plane(a, [&](std::int64_t plane) {
    real* dxs = dx.data() + plane * a.h * a.w;
    const real* dys = dy.data() + plane * pixels;
    std::fill(dxs, dxs + a.h * a.w, real{0});
    for (std::int64_t i = 0; i < pixels; ++i) {
      const real share = dys[i] * scale;
      for_window(a, i / a.q(), i % a.q(), [&](std::int64_t at, std::int64_t) { dxs[at] += share; });
    }
  });
}

}  // namespace terse::kernels
