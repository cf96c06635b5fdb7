#include "core/kernels/softmax.hpp"

#include <algorithm>
#include <cmath>

#include "core/parallel.hpp"

namespace terse::kernels {
namespace {

// Rows of one task: about 8 000 exponentials.
std::int64_t row_grain(std::int64_t d) {
  return std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(1, d));
}

template <class Body>
void for_each_row(std::int64_t rows, std::int64_t d, Body body) {
  parallel_for(rows, row_grain(d), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) body(row);
  });
}

struct Normaliser {
  real greatest;
  double sum;  // of exp(x - greatest)
};

// y = exp(x - greatest), not yet divided by the sum.
Normaliser exponentials(std::int64_t d, const real* x, real* y) {
  const real greatest = *std::max_element(x, x + d);
  double sum = 0;
  for (std::int64_t j = 0; j < d; ++j) {
    y[j] = std::exp(x[j] - greatest);
    sum += static_cast<double>(y[j]);
  }
  return {greatest, sum};
}

void normalise(std::int64_t d, const real* x, real* y) {
  const auto scale = static_cast<real>(1 / exponentials(d, x, y).sum);
  for (std::int64_t j = 0; j < d; ++j) y[j] *= scale;
}

}  // namespace

void softmax_forward(std::int64_t rows, std::int64_t d, std::span<const real> x,
                     std::span<real> y) {
  if (d == 0) return;
  for_each_row(rows, d,
               [&](std::int64_t row) { normalise(d, x.data() + row * d, y.data() + row * d); });
}

void softmax_backward(std::int64_t rows, std::int64_t d, std::span<const real> y,
                      std::span<const real> dy, std::span<real> dx) {
  for_each_row(rows, d, [&](std::int64_t row) {
    const real* ys = y.data() + row * d;
    const real* dys = dy.data() + row * d;
    double dot = 0;
    for (std::int64_t j = 0; j < d; ++j) dot += static_cast<double>(ys[j]) * dys[j];
    const auto mean = static_cast<real>(dot);
    real* dxs = dx.data() + row * d;
    for (std::int64_t j = 0; j < d; ++j) dxs[j] = ys[j] * (dys[j] - mean);
  });
}

void log_softmax_forward(std::int64_t rows, std::int64_t d, std::span<const real> x,
                         std::span<real> y) {
  if (d == 0) return;
  for_each_row(rows, d, [&](std::int64_t row) {
    const real* xs = x.data() + row * d;
    real* ys = y.data() + row * d;
    const auto [greatest, sum] = exponentials(d, xs, ys);
    const auto log_sum = static_cast<real>(std::log(sum));
    for (std::int64_t j = 0; j < d; ++j) ys[j] = xs[j] - greatest - log_sum;
  });
}

void log_softmax_backward(std::int64_t rows, std::int64_t d, std::span<const real> y,
                          std::span<const real> dy, std::span<real> dx) {
  for_each_row(rows, d, [&](std::int64_t row) {
    const real* ys = y.data() + row * d;
    const real* dys = dy.data() + row * d;
    double sum = 0;
    for (std::int64_t j = 0; j < d; ++j) sum += static_cast<double>(dys[j]);
    const auto total = static_cast<real>(sum);
    real* dxs = dx.data() + row * d;
    for (std::int64_t j = 0; j < d; ++j) dxs[j] = dys[j] - std::exp(ys[j]) * total;
  });
}

double cross_entropy_forward(std::int64_t rows, std::int64_t d, std::span<const real> x,
                             std::span<const std::int32_t> labels, std::span<real> y) {
  return parallel_sum(rows, row_grain(d), [&](std::int64_t begin, std::int64_t end) {
    double loss = 0;
    for (std::int64_t row = begin; row < end; ++row) {
      const real* xs = x.data() + row * d;
      real* ys = y.data() + row * d;
      const auto [greatest, sum] = exponentials(d, xs, ys);
      const auto scale = static_cast<real>(1 / sum);
      for (std::int64_t j = 0; j < d; ++j) ys[j] *= scale;
      loss +=
          std::log(sum) - static_cast<double>(xs[labels[static_cast<std::size_t>(row)]] - greatest);
    }
    return loss;
  });
}

void cross_entropy_backward(std::int64_t rows, std::int64_t d, std::span<const real> y,
                            std::span<const std::int32_t> labels, real scale, std::span<real> dx) {
  for_each_row(rows, d, [&](std::int64_t row) {
    const real* ys = y.data() + row * d;
    real* dxs = dx.data() + row * d;
    for (std::int64_t j = 0; j < d; ++j) dxs[j] = scale * ys[j];
    dxs[labels[static_cast<std::size_t>(row)]] -= scale;
  });
}

}  // namespace terse::kernels
