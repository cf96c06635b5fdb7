#include "tersegrad/core/kernels/lstm.hpp"

#include <algorithm>
#include <vector>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/gemm.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

constexpr auto kNo = Transpose::no, kYes = Transpose::yes;

std::span<const real> data_or_empty(const Tensor& x) {
  return x.defined() ? x.data() : std::span<const real>();
}

void check_shapes(const Tensor& x, const Tensor& h0, const Tensor& c0, const LstmWeights& w) {
  const bool sizes = x.rank() == 3 && w.w_ih.rank() == 2 && w.w_hh.rank() == 2 &&
                     w.w_ih.dim(1) == x.dim(2) && w.w_ih.dim(0) == 4 * w.w_hh.dim(1) &&
                     w.w_hh.dim(0) == 4 * w.w_hh.dim(1);
  check(sizes, "lstm: expected x (T, N, D), w_ih (4F, D) and w_hh (4F, F); got {}, {} and {}",
        x.shape().to_string(), w.w_ih.shape().to_string(), w.w_hh.shape().to_string());
  check(x.dim(0) >= 1, "lstm: expected at least one time step; got x {}", x.shape().to_string());
  const Shape state{x.dim(1), w.w_hh.dim(1)};
  for (const Tensor* s : {&h0, &c0}) {
    check(!s->defined() || s->shape() == state,
          "lstm: the initial {} must be (N, F) = {} for x {} and w_hh {}; got {}",
          s == &h0 ? "h" : "c", state.to_string(), x.shape().to_string(),
          w.w_hh.shape().to_string(), s->defined() ? s->shape().to_string() : "");
  }
  for (const Tensor* b : {&w.b_ih, &w.b_hh}) {
    check(!b->defined() || b->shape() == Shape{w.w_hh.dim(0)},
          "lstm: {} must be ({}) for w_hh {}; got {}", b == &w.b_ih ? "b_ih" : "b_hh",
          w.w_hh.dim(0), w.w_hh.shape().to_string(), b->defined() ? b->shape().to_string() : "");
  }
}

// b_ih + b_hh. An undefined bias is zero; the result is undefined if both are.
Tensor sum_of_biases(const LstmWeights& w) {
  const NoGrad no_grad;
  if (!w.b_ih.defined() || !w.b_hh.defined()) return w.b_ih.defined() ? w.b_ih : w.b_hh;
  return add(w.b_ih, w.b_hh);
}

// The state that the backward of a layer keeps. D features, F hidden units.
struct Layer {
  std::int64_t t, n, d, f;
  Tensor x, h0, c0, w_ih, w_hh;  // inputs, detached; h0 and c0 may be undefined
  Tensor gates, c;               // (T, N, 4F), (T, N, F)
  Tensor result;                 // (T + 1, N, F): y, then c of the last step
  bool needs_dx, needs_dh0;
  int biases;

  // da (T, N, 4F) is the gradient of the gates' arguments.
  //
  //   dx = da w_ih      dw_ih = daᵀ x      dw_hh = sum over t of da_tᵀ h_{t-1}
  //   db = column sums of da, for either bias
  Gradients backward(const Tensor& dresult) const {
    const auto steps = static_cast<std::size_t>(t * n * f);
    Tensor da = Tensor::empty(gates.shape()), dc0 = Tensor::empty({n, f}), dh0;
    if (needs_dh0) dh0 = Tensor::empty({n, f});
    kernels::lstm_backward({t, n, f}, {.w_hh = w_hh.data(),
                                       .c0 = data_or_empty(c0),
                                       .gates = gates.data(),
                                       .c = c.data(),
                                       .dy = dresult.data().first(steps),
                                       .dc_last = dresult.data().subspan(steps),
                                       .dgates = da.data_mut(),
                                       .dc0 = dc0.data_mut(),
                                       .dh0 = needs_dh0 ? dh0.data_mut() : std::span<real>()});
    Gradients gradients{needs_dx ? dx(da) : Tensor(), dw_ih(da), dw_hh(da)};
    if (h0.defined()) gradients.push_back(dh0);
    if (c0.defined()) gradients.push_back(dc0);
    for (int i = 0; i < biases; ++i) gradients.push_back(db(da));
    return gradients;
  }

  Tensor dx(const Tensor& da) const {
    Tensor dx = Tensor::empty(x.shape());
    kernels::gemm(kNo, kNo, t * n, d, 4 * f, da.data().data(), w_ih.data().data(), 0,
                  dx.data_mut().data());
    return dx;
  }
  Gradient dw_ih(const Tensor& da) const {
    return {w_ih.shape(), [rows = t * n, in = d, units = f, x = x, da](real beta, auto dw) {
              kernels::gemm(kYes, kNo, 4 * units, in, rows, da.data().data(), x.data().data(), beta,
                            dw.data());
            }};
  }
  Gradient dw_hh(const Tensor& da) const {
    return {w_hh.shape(),
            [rows = t * n, batch = n, units = f, h = result, h0 = h0, da](real beta, auto dw) {
              const real* later = da.data().data() + batch * 4 * units;
              kernels::gemm(kYes, kNo, 4 * units, units, rows - batch, later, h.data().data(), beta,
                            dw.data());
              if (h0.defined()) {
                kernels::gemm(kYes, kNo, 4 * units, units, batch, da.data().data(),
                              h0.data().data(), 1, dw.data());
              }
            }};
  }
  Gradient db(const Tensor& da) const {
    return {Shape{4 * f}, [rows = t * n, gate_columns = 4 * f, da](real beta, auto sums) {
              kernels::column_sums(rows, gate_columns, da.data().data(), beta, sums.data());
            }};
  }
};

// The forward pass without autograd; `lstm` records it.
Layer run_layer(const Tensor& x, const Tensor& h0, const Tensor& c0, const LstmWeights& w) {
  const std::int64_t t = x.dim(0), n = x.dim(1), d = x.dim(2), f = w.w_hh.dim(1);
  Tensor gates = Tensor::empty({t, n, 4 * f}), c = Tensor::empty({t, n, f});
  Tensor result = Tensor::empty({t + 1, n, f});
  kernels::gemm(kNo, kYes, t * n, 4 * f, d, x.data().data(), w.w_ih.data().data(), 0,
                gates.data_mut().data());
  const Tensor bias = sum_of_biases(w);
  const auto y = result.data_mut().first(static_cast<std::size_t>(t * n * f));
  kernels::lstm_forward({t, n, f}, {.w_hh = w.w_hh.data(),
                                    .bias = data_or_empty(bias),
                                    .h0 = data_or_empty(h0),
                                    .c0 = data_or_empty(c0),
                                    .gates = gates.data_mut(),
                                    .c = c.data_mut(),
                                    .y = y});
  const auto c_last = c.data().last(static_cast<std::size_t>(n * f));
  std::ranges::copy(c_last, result.data_mut().data() + t * n * f);
  const auto detached = [](const Tensor& s) { return s.defined() ? s.detach() : Tensor(); };
  return {.t = t,
          .n = n,
          .d = d,
          .f = f,
          .x = x.detach(),
          .h0 = detached(h0),
          .c0 = detached(c0),
          .w_ih = w.w_ih.detach(),
          .w_hh = w.w_hh.detach(),
          .gates = gates,
          .c = c,
          .result = result,
          .needs_dx = x.requires_grad(),
          .needs_dh0 = h0.requires_grad(),
          .biases = (w.b_ih.defined() ? 1 : 0) + (w.b_hh.defined() ? 1 : 0)};
}

}  // namespace

// One node for the whole layer. Its result is (T + 1, N, F): y, followed by c of the last step. The
// tensors y, h and c returned are slices of this result. The equations are in
// core/kernels/lstm.hpp.
LstmResult lstm(const Tensor& x, const Tensor& h0, const Tensor& c0, const LstmWeights& w) {
  check_shapes(x, h0, c0, w);
  const Layer layer = run_layer(x, h0, c0, w);
  std::vector<Tensor> inputs{x, w.w_ih, w.w_hh};
  for (const Tensor& optional : {h0, c0, w.b_ih, w.b_hh})
    if (optional.defined()) inputs.push_back(optional);
  const Tensor all = record("lstm", layer.result.detach(), inputs,
                            [layer](const Tensor& dresult) { return layer.backward(dresult); });
  const Shape state{layer.n, layer.f};
  return {.y = slice(all, 0, layer.t),
          .h = reshape(slice(all, layer.t - 1, layer.t), state),
          .c = reshape(slice(all, layer.t, layer.t + 1), state)};
}

LstmState lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const LstmWeights& w) {
  check(x.rank() == 2, "lstm_cell: expected x (N, D); got {}", x.shape().to_string());
  const LstmResult result = lstm(reshape(x, {1, x.dim(0), x.dim(1)}), h, c, w);
  return {.h = result.h, .c = result.c};
}

}  // namespace terse
