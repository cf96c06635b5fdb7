// The recurrence of LSTM, written as its equations: no blocking, no vectors, one thread.
#include <cmath>

#include "tersegrad/core/kernels/lstm.hpp"

namespace terse::kernels::reference {
namespace {

real sigmoid(real x) {
  return 1 / (1 + std::exp(-x));
}

// x[i], or 0 if x is empty.
real or_zero(std::span<const real> x, std::int64_t i) {
  return x.empty() ? 0 : x[static_cast<std::size_t>(i)];
}

}  // namespace

void lstm_forward(const LstmShape& shape, const LstmForward& a) {
  const auto [steps, n, f] = shape;
  for (std::int64_t t = 0; t < steps; ++t) {
    const auto step = static_cast<std::size_t>(t * n * f);
    const auto h = t == 0 ? a.h0 : std::span<const real>(a.y).subspan(step - n * f);
    const auto c = t == 0 ? a.c0 : std::span<const real>(a.c).subspan(step - n * f);
    for (std::int64_t row = 0; row < n; ++row) {
      real* gates = a.gates.data() + (t * n + row) * 4 * f;
      for (std::int64_t j = 0; j < 4 * f; ++j) {
        gates[j] += or_zero(a.bias, j);
        for (std::int64_t k = 0; k < f; ++k)
          gates[j] += or_zero(h, row * f + k) * a.w_hh[static_cast<std::size_t>(j * f + k)];
        gates[j] = j / f == 2 ? std::tanh(gates[j]) : sigmoid(gates[j]);
      }
      for (std::int64_t j = 0; j < f; ++j) {
        const real i = gates[j], forget = gates[f + j], g = gates[2 * f + j], o = gates[3 * f + j];
        const std::size_t at = step + static_cast<std::size_t>(row * f + j);
        a.c[at] = forget * or_zero(c, row * f + j) + i * g;
        a.y[at] = o * std::tanh(a.c[at]);
      }
    }
  }
}

// From the last step to the first. dh_t and dc are the gradients of h_t and c_t; dc begins as
// dc_last, the gradient of the last c. da is dgates, the gradient of the gates' arguments.
//
//   dh_t = dy_t + da_{t+1} w_hh
//   dc = dc + dh_t ⊙ o ⊙ (1 - tanh² c_t)
//   da_i = dc ⊙ g ⊙ i (1 - i)
//   da_f = dc ⊙ c_{t-1} ⊙ f (1 - f)
//   da_g = dc ⊙ i ⊙ (1 - g²)
//   da_o = dh_t ⊙ tanh c_t ⊙ o (1 - o)
//   dc = dc ⊙ f                                 the gradient of c_{t-1}
void lstm_backward(const LstmShape& shape, const LstmBackward& a) {
  const std::int64_t steps = shape.t, n = shape.n, f = shape.f;
  const auto dh = [&](std::int64_t t, std::int64_t row, std::int64_t k) {
    real sum = 0;
    for (std::int64_t j = 0; j < 4 * f; ++j) {
      sum += a.dgates[static_cast<std::size_t>((t * n + row) * 4 * f + j)] *
             a.w_hh[static_cast<std::size_t>(j * f + k)];
    }
    return sum;
  };
  for (std::int64_t i = 0; i < n * f; ++i) {
    a.dc0[static_cast<std::size_t>(i)] = a.dc_last[static_cast<std::size_t>(i)];
  }
  for (std::int64_t t = steps - 1; t >= 0; --t) {
    const auto c_before = t == 0 ? a.c0 : a.c.subspan(static_cast<std::size_t>((t - 1) * n * f));
    for (std::int64_t row = 0; row < n; ++row) {
      const real* gates = a.gates.data() + (t * n + row) * 4 * f;
      real* da = a.dgates.data() + (t * n + row) * 4 * f;
      for (std::int64_t j = 0; j < f; ++j) {
        const real i = gates[j], forget = gates[f + j], g = gates[2 * f + j], o = gates[3 * f + j];
        const auto at = static_cast<std::size_t>((t * n + row) * f + j);
        const real tanh_c = std::tanh(a.c[at]);
        const real dht = a.dy[at] + (t + 1 < steps ? dh(t + 1, row, j) : 0);
        real& dc = a.dc0[static_cast<std::size_t>(row * f + j)];
        dc += dht * o * (1 - tanh_c * tanh_c);
        da[j] = dc * g * i * (1 - i);
        da[f + j] = dc * or_zero(c_before, row * f + j) * forget * (1 - forget);
        da[2 * f + j] = dc * i * (1 - g * g);
        da[3 * f + j] = dht * tanh_c * o * (1 - o);
        dc *= forget;
      }
    }
  }
  if (a.dh0.empty()) return;
  for (std::int64_t row = 0; row < n; ++row)
    for (std::int64_t j = 0; j < f; ++j)
      a.dh0[static_cast<std::size_t>(row * f + j)] = dh(0, row, j);
}

}  // namespace terse::kernels::reference

#ifdef TERSE_REAL_DOUBLE  // the double build has no other kernels

namespace terse::kernels {

void lstm_forward(const LstmShape& shape, const LstmForward& a) {
  reference::lstm_forward(shape, a);
}
void lstm_backward(const LstmShape& shape, const LstmBackward& a) {
  reference::lstm_backward(shape, a);
}

}  // namespace terse::kernels

#endif
