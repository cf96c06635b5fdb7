// The definition of conv2d and its gradients. All sums are over the same indices (n, k, p, q, c, r,
// s), where these lie inside the image:
//
//   h = p·stride + r - padding        w = q·stride + s - padding
#include <algorithm>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/kernels/conv/conv2d.hpp"

namespace terse::kernels::reference {
namespace {

// Calls visit(x index, w index, y index) for every product of the convolution.
template <class Visit>
void for_each_product(const ConvShape& a, Visit visit) {
  const std::int64_t inputs = a.c / a.groups, outputs = a.k / a.groups;  // channels of a group
  for (std::int64_t n = 0; n < a.n; ++n)
    for (std::int64_t k = 0; k < a.k; ++k)
      for (std::int64_t p = 0; p < a.p(); ++p)
        for (std::int64_t q = 0; q < a.q(); ++q)
          for (std::int64_t i = 0; i < inputs; ++i)
            for (std::int64_t r = 0; r < a.r; ++r)
              for (std::int64_t s = 0; s < a.s; ++s) {
                const std::int64_t h = p * a.stride + r - a.padding;
                const std::int64_t w = q * a.stride + s - a.padding;
                if (h < 0 || h >= a.h || w < 0 || w >= a.w) continue;
                const std::int64_t c = k / outputs * inputs + i;
                visit(((n * a.c + c) * a.h + h) * a.w + w, ((k * inputs + i) * a.r + r) * a.s + s,
                      ((n * a.k + k) * a.p() + p) * a.q() + q);
              }
}

auto at(auto span, std::int64_t i) -> decltype(span[0]) {
  return span[static_cast<std::size_t>(i)];
}

// Computes all sums in double, then converts them to the results.
template <class Visit>
void sum_products(const ConvShape& shape, std::span<real> results, Visit product) {
  Buffer<double> sums(static_cast<std::int64_t>(results.size()));
  std::ranges::fill(sums.span(), 0.0);
  for_each_product(shape, [&](auto ix, auto iw, auto iy) { product(ix, iw, iy, sums.data()); });
  std::ranges::transform(sums.span(), results.begin(),
                         [](double sum) { return static_cast<real>(sum); });
}

double product(real a, real b) {
  return static_cast<double>(a) * static_cast<double>(b);
}

}  // namespace

void conv2d_forward(const ConvShape& shape, std::span<const real> x, std::span<const real> w,
                    std::span<const real> bias, std::span<real> y) {
  sum_products(shape, y, [&](auto ix, auto iw, auto iy, double* sums) {
    sums[iy] += product(at(x, ix), at(w, iw));
  });
  if (bias.empty()) return;
  const std::int64_t pixels = shape.p() * shape.q();
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(y.size()); ++i) {
    at(y, i) += at(bias, i / pixels % shape.k);
  }
}

void conv2d_data_gradient(const ConvShape& shape, std::span<const real> dy, std::span<const real> w,
                          std::span<real> dx) {
  sum_products(shape, dx, [&](auto ix, auto iw, auto iy, double* sums) {
    sums[ix] += product(at(dy, iy), at(w, iw));
  });
}

void conv2d_weight_gradient(const ConvShape& shape, std::span<const real> x,
                            std::span<const real> dy, std::span<real> dw) {
  sum_products(shape, dw, [&](auto ix, auto iw, auto iy, double* sums) {
    sums[iw] += product(at(dy, iy), at(x, ix));
  });
}

}  // namespace terse::kernels::reference
