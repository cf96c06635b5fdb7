#include "tersegrad/core/kernels/softmax.hpp"

#include <algorithm>
#include <cmath>

#include "tersegrad/core/kernels/exponential.hpp"
#include "tersegrad/core/simd/vectorized.hpp"

namespace terse::kernels {
namespace {

// Rows in one task: about 32 000 exponentials.
std::int64_t row_grain(std::int64_t d) {
  return std::max<std::int64_t>(1, 32768 / std::max<std::int64_t>(1, d));
}

template <class Body>
void for_each_row(std::int64_t rows, std::int64_t d, Body body) {
  vectorized_for(rows, row_grain(d), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) body(row);
  });
}

// The maximum of a row, kept in lanes so that the loop vectorises. The comparison may skip a NaN;
// its exponential is NaN all the same.
real greatest_of(std::int64_t d, const real* x) {
  constexpr int kLanes = 32;
  real lanes[kLanes];
  std::fill_n(lanes, kLanes, x[0]);
  std::int64_t j = 0;
  for (; j + kLanes <= d; j += kLanes) {
    for (int i = 0; i < kLanes; ++i) lanes[i] = x[j + i] > lanes[i] ? x[j + i] : lanes[i];
  }
  for (; j < d; ++j) lanes[0] = std::max(lanes[0], x[j]);
  return *std::max_element(lanes, lanes + kLanes);
}

void normalise(std::int64_t d, const real* x, real* y) {
  const auto scale = static_cast<real>(1 / exponentials(d, x, greatest_of(d, x), y));
  for (std::int64_t j = 0; j < d; ++j) y[j] *= scale;
}

struct CrossEntropyRow {
  std::int64_t d;
  const real *x, *bias;  // bias may be null
  std::int32_t label;
  real scale;
  real* dx;  // may be null if there is no bias
};

// -log softmax(x + bias)[label]; dx = scale · (softmax(x + bias) - onehot(label)).
double row_loss(const CrossEntropyRow& a) {
  const real* x = a.x;
  if (a.bias != nullptr) {
    for (std::int64_t j = 0; j < a.d; ++j) a.dx[j] = x[j] + a.bias[j];
    x = a.dx;
  }
  const real greatest = greatest_of(a.d, x);
  const double right = static_cast<double>(x[a.label] - greatest);
  const double sum = exponentials(a.d, x, greatest, a.dx);
  if (a.dx != nullptr) {
    const auto scale = static_cast<real>(static_cast<double>(a.scale) / sum);
    for (std::int64_t j = 0; j < a.d; ++j) a.dx[j] *= scale;
    a.dx[a.label] -= a.scale;
  }
  return std::log(sum) - right;
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
    const real greatest = greatest_of(d, xs);
    const auto log_sum = static_cast<real>(std::log(exponentials(d, xs, greatest, nullptr)));
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

double cross_entropy(std::int64_t rows, std::int64_t d, std::span<const real> x,
                     std::span<const real> bias, std::span<const std::int32_t> labels, real scale,
                     std::span<real> dx) {
  return vectorized_sum(rows, row_grain(d), [&](std::int64_t begin, std::int64_t end) {
    double loss = 0;
    for (std::int64_t row = begin; row < end; ++row) {
      loss += row_loss({.d = d,
                        .x = x.data() + row * d,
                        .bias = bias.empty() ? nullptr : bias.data(),
                        .label = labels[static_cast<std::size_t>(row)],
                        .scale = scale,
                        .dx = dx.empty() ? nullptr : dx.data() + row * d});
    }
    return loss;
  });
}

}  // namespace terse::kernels
