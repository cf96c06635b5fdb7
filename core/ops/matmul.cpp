#include <array>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/gemm.hpp"
#include "tersegrad/core/kernels/reduce.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

// op(A) op(B) without autograd. The caller has checked the sizes.
Tensor product(const Tensor& a, const Tensor& b, Transpose ta, Transpose tb) {
  const bool left = ta == Transpose::yes, right = tb == Transpose::yes;
  const std::int64_t m = a.dim(left ? 1 : 0), k = a.dim(left ? 0 : 1), n = b.dim(right ? 0 : 1);
  Tensor c = Tensor::empty({m, n});
  kernels::gemm(ta, tb, m, n, k, a.data().data(), b.data().data(), 0, c.data_mut().data());
  return c;
}

Transpose flip(Transpose t) {
  return t == Transpose::no ? Transpose::yes : Transpose::no;
}

}  // namespace

// C (M, N) = A (M, K) B (K, N):  dA = dC Bᵀ, dB = Aᵀ dC. If an operand is given as its transpose,
// so is its gradient.
Tensor matmul(const Tensor& a, const Tensor& b, Transpose ta, Transpose tb) {
  check(a.rank() == 2 && b.rank() == 2 &&
            a.dim(ta == Transpose::yes ? 0 : 1) == b.dim(tb == Transpose::yes ? 1 : 0),
        "matmul: expected (M, K) and (K, N); got {}{} and {}{}", a.shape().to_string(),
        ta == Transpose::yes ? " transposed" : "", b.shape().to_string(),
        tb == Transpose::yes ? " transposed" : "");
  return record("matmul", product(a, b, ta, tb), {a, b},
                [a = a.detach(), b = b.detach(), ta, tb](const Tensor& dc) {
                  constexpr auto no = Transpose::no, yes = Transpose::yes;
                  return Gradients{
                      ta == no ? product(dc, b, no, flip(tb)) : product(b, dc, tb, yes),
                      tb == no ? product(a, dc, flip(ta), no) : product(dc, a, yes, ta)};
                });
}

// y (N, K) = x (N, D) wᵀ (D, K) + b (K):  dx = dy w, dw = dyᵀ x, db = column sums of dy
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b) {
  check(x.rank() == 2 && w.rank() == 2 && x.dim(1) == w.dim(1),
        "linear: expected x (N, D) and w (K, D); got {} and {}", x.shape().to_string(),
        w.shape().to_string());
  check(!b.defined() || b.shape() == Shape{w.dim(0)},
        "linear: the bias must be ({}) for w {}; got {}", w.dim(0), w.shape().to_string(),
        b.defined() ? b.shape().to_string() : "");
  const std::int64_t n = x.dim(0), d = x.dim(1), k = w.dim(0);
  Tensor y = Tensor::empty({n, k});
  if (b.defined()) kernels::repeat_middle(1, n, k, b.data(), y.data_mut());
  kernels::gemm(Transpose::no, Transpose::yes, n, k, d, x.data().data(), w.data().data(),
                b.defined() ? 1 : 0, y.data_mut().data());
  const std::array<Tensor, 3> inputs{x, w, b};
  const bool with_bias = b.defined();
  return record("linear", y, std::span(inputs).first(with_bias ? 3 : 2),
                [x = x.detach(), w = w.detach(), needs_dx = x.requires_grad(), with_bias, n, d,
                 k](const Tensor& dy) {
                  const auto add_dw = [n, d, k, x, dy](real beta, std::span<real> dw) {
                    kernels::gemm(Transpose::yes, Transpose::no, k, d, n, dy.data().data(),
                                  x.data().data(), beta, dw.data());
                  };
                  const auto add_db = [n, k, dy](real beta, std::span<real> db) {
                    kernels::column_sums(n, k, dy.data().data(), beta, db.data());
                  };
                  const Tensor dx =
                      needs_dx ? product(dy, w, Transpose::no, Transpose::no) : Tensor();
                  Gradients gradients{dx, Gradient(w.shape(), add_dw)};
                  if (with_bias) gradients.emplace_back(Shape{k}, add_db);
                  return gradients;
                });
}

}  // namespace terse
