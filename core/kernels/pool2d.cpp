#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/core/kernels/pool2d.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/core/kernels/pool2d.hpp"

#include <algorithm>
#include <limits>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

// Planes in one task: about 100 000 window elements.
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

// Whether `challenger` replaces `champion` as the maximum. A NaN replaces any value.
bool beats(real challenger, real champion) {
  return challenger > champion || challenger != challenger;
}
template <class V>
auto beats(V challenger, V champion) {
  return hn::Or(hn::Gt(challenger, champion), hn::IsNaN(challenger));
}

// Adjacent 2x2 windows of stride 2, the common case, one vector of windows at a time. `top` and
// `bottom` are their two rows of x.
template <class D>
void max_of_windows(D d, const real* top, const real* bottom, real* y, WindowPlace* where) {
  const hn::RebindToSigned<D> di;
  hn::Vec<D> t0, t1, b0, b1;
  hn::LoadInterleaved2(d, top, t0, t1);
  hn::LoadInterleaved2(d, bottom, b0, b1);
  const auto right_top = beats(t1, t0), right_bottom = beats(b1, b0);
  const auto t = hn::IfThenElse(right_top, t1, t0), b = hn::IfThenElse(right_bottom, b1, b0);
  const auto lower = beats(b, t);
  hn::StoreU(hn::IfThenElse(lower, b, t), d, y);
  const auto one = hn::Set(di, 1), two = hn::Set(di, 2);
  const auto column = hn::IfThenElse(lower, hn::IfThenElseZero(right_bottom, hn::BitCast(d, one)),
                                     hn::IfThenElseZero(right_top, hn::BitCast(d, one)));
  const auto row = hn::IfThenElseZero(lower, hn::BitCast(d, two));
  hn::StoreU(hn::BitCast(di, hn::Or(row, column)), di, where);
}

template <class D>
void spread_windows(D d, const real* dy, const WindowPlace* where, real* top, real* bottom) {
  const hn::RebindToSigned<D> di;
  const auto g = hn::LoadU(d, dy);
  const auto at = hn::LoadU(di, where);
  const auto if_at = [&](WindowPlace place) {
    return hn::IfThenElseZero(hn::RebindMask(d, hn::Eq(at, hn::Set(di, place))), g);
  };
  hn::StoreInterleaved2(if_at(0), if_at(1), d, top);
  hn::StoreInterleaved2(if_at(2), if_at(3), d, bottom);
}

// Calls f(tag, q) for every vector of a row of `columns` windows. The last vector is moved back to
// end with the row, so some windows are computed twice. Narrow rows use narrower vectors.
template <class F>
void for_vectors(std::int64_t columns, F f) {
  const auto run = [&](auto tag) {
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
    if (columns < lanes) return false;
    for (std::int64_t q = 0; q < columns; q += lanes) f(tag, std::min(q, columns - lanes));
    return true;
  };
  if (run(hn::ScalableTag<real>()) || run(hn::CappedTag<real, 4>())) return;
  run(hn::CappedTag<real, 1>());
}

void max_pool_2x2(const PoolShape& a, const real* x, real* y, WindowPlace* where) {
  const std::int64_t columns = a.q();
  for (std::int64_t p = 0; p < a.p(); ++p, y += columns, where += columns) {
    const real* top = x + 2 * p * a.w;
    for_vectors(columns, [&](auto tag, std::int64_t q) {
      max_of_windows(tag, top + 2 * q, top + a.w + 2 * q, y + q, where + q);
    });
  }
}

void max_pool_2x2_backward(const PoolShape& a, const real* dy, const WindowPlace* where, real* dx) {
  const std::int64_t columns = a.q();
  for (std::int64_t p = 0; p < a.p(); ++p, dy += columns, where += columns) {
    real* top = dx + 2 * p * a.w;
    for_vectors(columns, [&](auto tag, std::int64_t q) {
      spread_windows(tag, dy + q, where + q, top + 2 * q, top + a.w + 2 * q);
    });
    if (a.w % 2 != 0) top[a.w - 1] = top[2 * a.w - 1] = 0;  // no window covers the last column
  }
  if (a.h % 2 != 0) std::fill_n(dx + (a.h - 1) * a.w, a.w, real{0});
}

bool is_2x2(const PoolShape& a) {
  return a.kernel == 2 && a.stride == 2 && a.padding == 0;
}

// Calls body(plane) for every plane, in parallel.
template <class Body>
void for_each_plane(const PoolShape& a, Body body) {
  parallel_for(a.planes, plane_grain(a), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) body(plane);
  });
}

}  // namespace

void max_forward_at_level(const PoolShape& a, std::span<const real> x, std::span<real> y,
                          std::span<WindowPlace> where) {
  const std::int64_t pixels = a.p() * a.q();
  for_each_plane(a, [&](std::int64_t plane) {
    const real* xs = x.data() + plane * a.h * a.w;
    real* ys = y.data() + plane * pixels;
    WindowPlace* ws = where.data() + plane * pixels;
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
          ws[i] = static_cast<WindowPlace>(place);
          first = false;
        }
      });
    }
  });
}

void max_backward_at_level(const PoolShape& a, std::span<const real> dy,
                           std::span<const WindowPlace> where, std::span<real> dx) {
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

void avg_forward_at_level(const PoolShape& a, std::span<const real> x, std::span<real> y) {
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

void avg_backward_at_level(const PoolShape& a, std::span<const real> dy, std::span<real> dx) {
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

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(max_forward_at_level);
HWY_EXPORT(max_backward_at_level);
HWY_EXPORT(avg_forward_at_level);
HWY_EXPORT(avg_backward_at_level);

void max_pool2d_forward(const PoolShape& a, std::span<const real> x, std::span<real> y,
                        std::span<WindowPlace> where) {
  TERSE_DISPATCH(max_forward_at_level)(a, x, y, where);
}
void max_pool2d_backward(const PoolShape& a, std::span<const real> dy,
                         std::span<const WindowPlace> where, std::span<real> dx) {
  TERSE_DISPATCH(max_backward_at_level)(a, dy, where, dx);
}
void avg_pool2d_forward(const PoolShape& a, std::span<const real> x, std::span<real> y) {
  TERSE_DISPATCH(avg_forward_at_level)(a, x, y);
}
void avg_pool2d_backward(const PoolShape& a, std::span<const real> dy, std::span<real> dx) {
  TERSE_DISPATCH(avg_backward_at_level)(a, dy, dx);
}

}  // namespace terse::kernels
#endif
