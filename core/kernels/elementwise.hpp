// Elementwise loops. They are plain loops, vectorised for every level (core/simd/vectorized.hpp).
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse::kernels {

// Elements in one piece of a parallel loop: about 20 µs of memory traffic.
inline constexpr std::int64_t kElementGrain = 1 << 16;

// y[i] = f(x[i]); y may be x.
template <class F>
void map(std::span<const real> x, std::span<real> y, F f) {
  vectorized_for(static_cast<std::int64_t>(x.size()), kElementGrain,
                 [&, f](std::int64_t begin, std::int64_t end) {
                   const real* xs = x.data();
                   real* ys = y.data();
                   for (std::int64_t i = begin; i < end; ++i) ys[i] = f(xs[i]);
                 });
}

// y[i] = f(a[i], b[i]); y may be a or b.
template <class F>
void zip(std::span<const real> a, std::span<const real> b, std::span<real> y, F f) {
  vectorized_for(static_cast<std::int64_t>(a.size()), kElementGrain,
                 [&, f](std::int64_t begin, std::int64_t end) {
                   const real* as = a.data();
                   const real* bs = b.data();
                   real* ys = y.data();
                   for (std::int64_t i = begin; i < end; ++i) ys[i] = f(as[i], bs[i]);
                 });
}

inline void copy(std::span<const real> x, std::span<real> y) {
  map(x, y, [](real v) { return v; });
}
inline void add(std::span<const real> a, std::span<const real> b, std::span<real> y) {
  zip(a, b, y, [](real u, real v) { return u + v; });
}

}  // namespace terse::kernels
