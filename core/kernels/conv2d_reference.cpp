// The definition of conv2d and its gradients. Every sum is over the same index set:
//   h = p·stride + r - padding and w = q·stride + s - padding, inside the image.
#include <algorithm>

#include "core/kernels/conv2d.hpp"

namespace terse::kernels::reference {
namespace {

// Calls visit(x index, w index, y index) for every product of the convolution.
template <class Visit>
void for_each_product(const ConvShape& a, Visit visit) {
  for (std::int64_t n = 0; n < a.n; ++n)
    for (std::int64_t k = 0; k < a.k; ++k)
      for (std::int64_t p = 0; p < a.p(); ++p)
        for (std::int64_t q = 0; q < a.q(); ++q)
          for (std::int64_t c = 0; c < a.c; ++c)
            for (std::int64_t r = 0; r < a.r; ++r)
              for (std::int64_t s = 0; s < a.s; ++s) {
                const std::int64_t h = p * a.stride + r - a.padding;
                const std::int64_t w = q * a.stride + s - a.padding;
                if (h < 0 || h >= a.h || w < 0 || w >= a.w) continue;
                visit(((n * a.c + c) * a.h + h) * a.w + w, ((k * a.c + c) * a.r + r) * a.s + s,
                      ((n * a.k + k) * a.p() + p) * a.q() + q);
              }
}

auto at(auto span, std::int64_t i) -> decltype(span[0]) {
  return span[static_cast<std::size_t>(i)];
}

}  // namespace

void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y) {
  const std::int64_t pixels = shape.p() * shape.q();
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(y.size()); ++i) {
    at(y, i) = bias.empty() ? 0 : at(bias, i / pixels % shape.k);
  }
  for_each_product(shape, [&](auto ix, auto iw, auto iy) { at(y, iy) += at(x, ix) * at(w, iw); });
}

void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx) {
  std::fill(dx.begin(), dx.end(), real{0});
  for_each_product(shape, [&](auto ix, auto iw, auto iy) { at(dx, ix) += at(dy, iy) * at(w, iw); });
}

void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw) {
  std::fill(dw.begin(), dw.end(), real{0});
  for_each_product(shape, [&](auto ix, auto iw, auto iy) { at(dw, iw) += at(dy, iy) * at(x, ix); });
}

}  // namespace terse::kernels::reference

#ifdef TERSE_REAL_DOUBLE  // the double build has no other kernels

namespace terse::kernels {

void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y) {
  reference::conv2d_forward(shape, x, w, bias, y);
}
void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx) {
  reference::conv2d_data_gradient(shape, dy, w, dx);
}
void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw) {
  reference::conv2d_weight_gradient(shape, x, dy, dw);
}

}  // namespace terse::kernels

#endif
