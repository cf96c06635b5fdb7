// The recurrence of an LSTM layer over all its steps, and its gradient.
//
//   i f g o = sigmoid, sigmoid, tanh, sigmoid of  x_t w_ihᵀ + bias + h_{t-1} w_hhᵀ    (N, 4F)
//   c_t = f ⊙ c_{t-1} + i ⊙ g          h_t = o ⊙ tanh c_t                             (N, F)
//
// Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000; the gates are in
// PyTorch's order. The caller computes the products with x and all weight gradients, as large
// matrix products over all steps. `kernels::lstm_*` are the fast versions, built on the register
// tile of tile.hpp. `kernels::reference::lstm_*` are the definition: the fast versions are tested
// against them, and the double build uses them.
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
  std::span<real> gates;         // (T, N, 4F), in place: x_t w_ihᵀ, then i f g o
  std::span<real> c;             // output (T, N, F)
  std::span<real> y;             // output (T, N, F): h of every step
};

struct LstmBackward {
  std::span<const real> w_hh;
  std::span<const real> c0;        // (N, F); empty: zero
  std::span<const real> gates, c;  // as written by forward
  std::span<const real> dy;        // (T, N, F)
  std::span<const real> dc_last;   // (N, F)
  std::span<real> dgates;          // output (T, N, 4F): of the gates' arguments
  std::span<real> dc0;             // output (N, F)
  std::span<real> dh0;             // output (N, F); empty: not needed
};

void lstm_forward(const LstmShape& shape, const LstmForward& a);
void lstm_backward(const LstmShape& shape, const LstmBackward& a);

namespace reference {
void lstm_forward(const LstmShape& shape, const LstmForward& a);
void lstm_backward(const LstmShape& shape, const LstmBackward& a);
}  // namespace reference

}  // namespace terse::kernels
