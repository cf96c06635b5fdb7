// The recurrence of an LSTM layer over all its steps, and its gradient.
//
//   i f g o = sigmoid, sigmoid, tanh, sigmoid of  x_t w_ihᵀ + bias + h_{t-1} w_hhᵀ    (N, 4F)
//   c_t = f ⊙ c_{t-1} + i ⊙ g          h_t = o ⊙ tanh c_t                             (N, F)
//
// (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000; gates in PyTorch's
// order.) The products with x and all weight gradients are large matrix products over all steps,
// left to the caller. `kernels::lstm_*` are the fast ones, over the register tile of tile.hpp;
// `kernels::reference::lstm_*` are the definition: the fast ones are tested against them, and the
// double build uses them.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

struct LstmShape {
  std::int64_t t, n, f;  // steps, batch, hidden units
};

struct LstmForward {
  std::span<const real> w_hh;    // (4F, F)
  std::span<const real> bias;    // (4F); empty: zero
  std::span<const real> h0, c0;  // (N, F); empty: zero
  std::span<real> gates;         // (T, N, 4F): from x_t w_ihᵀ to the gates' values, in place
  std::span<real> c;             // (T, N, F), written
  std::span<real> y;             // (T, N, F), written: h of every step
};

struct LstmBackward {
  std::span<const real> w_hh;
  std::span<const real> c0;        // (N, F); empty: zero
  std::span<const real> gates, c;  // as forward left them
  std::span<const real> dy;        // (T, N, F)
  std::span<const real> dc_last;   // (N, F)
  std::span<real> dgates;          // (T, N, 4F), written: of the gates' arguments
  std::span<real> dc0;             // (N, F), written
  std::span<real> dh0;             // (N, F), written; empty: not wanted
};

void lstm_forward(const LstmShape& shape, const LstmForward& a);
void lstm_backward(const LstmShape& shape, const LstmBackward& a);

namespace reference {
void lstm_forward(const LstmShape& shape, const LstmForward& a);
void lstm_backward(const LstmShape& shape, const LstmBackward& a);
}  // namespace reference

}  // namespace terse::kernels
