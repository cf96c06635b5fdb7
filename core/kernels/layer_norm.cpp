// Layer normalisation and its gradient. A task processes whole rows. For dgamma and dbeta, which
// are sums over rows, a task processes whole columns.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/core/kernels/layer_norm.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/core/kernels/layer_norm.hpp"

#include <algorithm>
#include <cmath>

#include "tersegrad/core/kernels/vector_sums-inl.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/dispatch.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

// Rows in one task: about 32 000 elements.
std::int64_t row_grain(std::int64_t d) {
  return std::max<std::int64_t>(1, 32'768 / std::max<std::int64_t>(1, d));
}

}  // namespace

void forward_at_level(std::int64_t rows, std::int64_t d, std::span<const real> x,
                      std::span<const real> gamma, std::span<const real> beta, double eps,
                      std::span<real> mean, std::span<real> deviation_inverse, std::span<real> y) {
  const auto count = static_cast<double>(d);
  parallel_for(rows, row_grain(d), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const real* xs = x.data() + row * d;
      const auto sum = sum_terms<1>(
          d, [xs](auto tag, std::int64_t i, auto* v) { v[0] = hn::LoadU(tag, xs + i); });
      const auto middle = static_cast<real>(sum.total[0] / count);
      const auto squares = sum_terms<1>(d, [xs, middle](auto tag, std::int64_t i, auto* v) {
        v[0] = hn::Sub(hn::LoadU(tag, xs + i), hn::Set(tag, middle));
        v[0] = hn::Mul(v[0], v[0]);
      });
      const auto inverse = static_cast<real>(1 / std::sqrt(squares.total[0] / count + eps));
      mean[static_cast<std::size_t>(row)] = middle;
      deviation_inverse[static_cast<std::size_t>(row)] = inverse;
      real* ys = y.data() + row * d;
      const real *g = gamma.data(), *b = beta.data();
      for (std::int64_t i = 0; i < d; ++i) ys[i] = (xs[i] - middle) * inverse * g[i] + b[i];
    }
  });
}

// With x̂ = (x - mean) / deviation and g = dy gamma, for each row:
//
//   dx = (g - mean(g) - x̂ mean(g x̂)) / deviation
//   dgamma = sum over rows of dy x̂        dbeta = sum over rows of dy
void backward_at_level(std::int64_t rows, std::int64_t d, std::span<const real> dy,
                       std::span<const real> x, std::span<const real> gamma,
                       std::span<const real> mean, std::span<const real> deviation_inverse,
                       std::span<real> dx, std::span<real> dgamma, std::span<real> dbeta) {
  const auto count = static_cast<double>(std::max<std::int64_t>(1, d));
  parallel_for(rows, row_grain(d), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const real *xs = x.data() + row * d, *dys = dy.data() + row * d, *g = gamma.data();
      const real middle = mean[static_cast<std::size_t>(row)];
      const real inverse = deviation_inverse[static_cast<std::size_t>(row)];
      const auto sums = sum_terms<2>(d, [=](auto tag, std::int64_t i, auto* v) {
        v[0] = hn::Mul(hn::LoadU(tag, dys + i), hn::LoadU(tag, g + i));
        v[1] = hn::Mul(v[0], hn::Sub(hn::LoadU(tag, xs + i), hn::Set(tag, middle)));
      });
      const auto mean_g = static_cast<real>(sums.total[0] / count);
      const auto mean_gx = static_cast<real>(sums.total[1] * static_cast<double>(inverse) / count);
      real* dxs = dx.data() + row * d;
      for (std::int64_t i = 0; i < d; ++i) {
        dxs[i] = inverse * (dys[i] * g[i] - mean_g - (xs[i] - middle) * inverse * mean_gx);
      }
    }
  });
  // Columns in one task: whole cache lines. A task adds all rows in order.
  constexpr std::int64_t kColumns = 256;
  parallel_for(d, kColumns, [&](std::int64_t begin, std::int64_t end) {
    double g[kColumns] = {}, b[kColumns] = {};
    for (std::int64_t row = 0; row < rows; ++row) {
      const real *xs = x.data() + row * d, *dys = dy.data() + row * d;
      const real middle = mean[static_cast<std::size_t>(row)];
      const real inverse = deviation_inverse[static_cast<std::size_t>(row)];
      for (std::int64_t i = begin; i < end; ++i) {
        g[i - begin] += static_cast<double>(dys[i] * (xs[i] - middle) * inverse);
        b[i - begin] += static_cast<double>(dys[i]);
      }
    }
    for (std::int64_t i = begin; i < end; ++i) {
      dgamma[static_cast<std::size_t>(i)] = static_cast<real>(g[i - begin]);
      dbeta[static_cast<std::size_t>(i)] = static_cast<real>(b[i - begin]);
    }
  });
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

HWY_EXPORT(forward_at_level);
HWY_EXPORT(backward_at_level);

void layer_norm_forward(std::int64_t rows, std::int64_t d, std::span<const real> x,
                        std::span<const real> gamma, std::span<const real> beta, double eps,
                        std::span<real> mean, std::span<real> deviation_inverse,
                        std::span<real> y) {
  TERSE_DISPATCH(forward_at_level)(rows, d, x, gamma, beta, eps, mean, deviation_inverse, y);
}
void layer_norm_backward(std::int64_t rows, std::int64_t d, std::span<const real> dy,
                         std::span<const real> x, std::span<const real> gamma,
                         std::span<const real> mean, std::span<const real> deviation_inverse,
                         std::span<real> dx, std::span<real> dgamma, std::span<real> dbeta) {
  TERSE_DISPATCH(backward_at_level)
  (rows, d, dy, x, gamma, mean, deviation_inverse, dx, dgamma, dbeta);
}

}  // namespace terse::kernels
#endif
