#include "tersegrad/core/kernels/softmax.hpp"

#include <algorithm>
#include <array>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/gemm.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

// A tensor as (rows, D), where D is the size of the last dimension.
struct Rows {
  std::int64_t rows, d;
};
Rows rows_of(const char* op, const Tensor& x) {
  check(x.rank() >= 1, "{}: expected at least one dimension; got {}", op, x.shape().to_string());
  const std::int64_t d = x.dim(x.rank() - 1);
  return {d == 0 ? 0 : x.numel() / d, d};
}

// Checks that labels are in [0, d). Returns the factor that turns the sum of losses
// into the result.
double check_labels(const char* op, std::span<const std::int32_t> labels, std::int64_t d,
                    Reduction reduction) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    check(labels[i] >= 0 && labels[i] < d, "{}: a label must be in [0, {}); label {} is {}", op, d,
          i, labels[i]);
  }
  check(!labels.empty() || reduction == Reduction::sum,
        "{}: the mean over no rows is undefined; use Reduction::sum", op);
  return reduction == Reduction::mean ? 1.0 / static_cast<double>(labels.size()) : 1.0;
}

}  // namespace

// y = exp(x) / sum exp(x), dx = y ⊙ (dy - <dy, y>)
Tensor softmax(const Tensor& x) {
  const auto [rows, d] = rows_of("softmax", x);
  Tensor y = Tensor::empty(x.shape());
  kernels::softmax_forward(rows, d, x.data(), y.data_mut());
  return record("softmax", y, {x}, [y = y.detach(), n = rows, m = d](const Tensor& dy) {
    Tensor dx = Tensor::empty(dy.shape());
    kernels::softmax_backward(n, m, y.data(), dy.data(), dx.data_mut());
    return Gradients{dx};
  });
}

// y = x - log sum exp(x), dx = dy - exp(y) sum dy
Tensor log_softmax(const Tensor& x) {
  const auto [rows, d] = rows_of("log_softmax", x);
  Tensor y = Tensor::empty(x.shape());
  kernels::log_softmax_forward(rows, d, x.data(), y.data_mut());
  return record("log_softmax", y, {x}, [y = y.detach(), n = rows, m = d](const Tensor& dy) {
    Tensor dx = Tensor::empty(dy.shape());
    kernels::log_softmax_backward(n, m, y.data(), dy.data(), dx.data_mut());
    return Gradients{dx};
  });
}

// loss = -sum over rows of log softmax(x)[label]            divided by N for the mean
// dx = (softmax(x) - onehot(label)) dloss                   divided by N likewise
//
// The kernel computes dx / dloss together with the loss, from the same exponentials. Backward
// multiplies it by dloss only if dloss is not 1, which is rare.
Tensor cross_entropy(const Tensor& x, std::span<const std::int32_t> labels, Reduction reduction) {
  check(x.rank() == 2 && x.dim(0) == static_cast<std::int64_t>(labels.size()),
        "cross_entropy: expected x (N, D) and N labels; got {} and {} labels",
        x.shape().to_string(), labels.size());
  const std::int64_t n = x.dim(0), d = x.dim(1);
  const double factor = check_labels("cross_entropy", labels, d, reduction);
  Tensor dx;
  if (grad_enabled() && x.requires_grad()) dx = Tensor::empty(x.shape());
  const double loss = kernels::cross_entropy(n, d, x.data(), {}, labels, static_cast<real>(factor),
                                             dx.defined() ? dx.data_mut() : std::span<real>());
  return record("cross_entropy", Tensor::scalar(static_cast<real>(loss * factor)), {x},
                [dx](const Tensor& dloss) {
                  if (dloss.item() == 1) return Gradients{dx};
                  const NoGrad no_grad;
                  return Gradients{scale(dx, dloss.item())};
                });
}

namespace {

// The loss without gradients, computed in blocks of rows, so that no (N, V) array is stored.
double loss_in_blocks(const Tensor& x, const Tensor& w, std::span<const real> bias,
                      std::span<const std::int32_t> labels) {
  constexpr std::int64_t kElements = 1 << 20;  // in one block
  const std::int64_t n = x.dim(0), d = x.dim(1), v = w.dim(0);
  const std::int64_t block = std::min(n, kElements / std::max<std::int64_t>(1, v) + 1);
  Buffer<real> logits(block * v);
  const kernels::PackedMatrix packed(Transpose::yes, d, v, w.data().data());
  double loss = 0;
  for (std::int64_t first = 0; first < n; first += block) {
    const std::int64_t rows = std::min(block, n - first);
    const auto part = logits.span().first(static_cast<std::size_t>(rows * v));
    kernels::gemm(Transpose::no, rows, x.data().data() + first * d, packed, 0, part.data());
    loss += kernels::cross_entropy(
        rows, v, part, bias,
        labels.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(rows)), 1, part);
  }
  return loss;
}

}  // namespace

// The loss of logits z = x wᵀ + b.
//
//   dz = (softmax(z) - onehot(label)) dloss                 divided by N for the mean
//   dx = dz w        dw = dzᵀ x        db = column sums of dz
//
// The forward pass overwrites z with dz / dloss, so that only one (N, V) array is stored.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& w, const Tensor& b,
                            std::span<const std::int32_t> labels, Reduction reduction) {
  check(x.rank() == 2 && w.rank() == 2 && x.dim(1) == w.dim(1) &&
            x.dim(0) == static_cast<std::int64_t>(labels.size()),
        "linear_cross_entropy: expected x (N, D), w (V, D) and N labels; got {}, {} and {} labels",
        x.shape().to_string(), w.shape().to_string(), labels.size());
  check(!b.defined() || b.shape() == Shape{w.dim(0)},
        "linear_cross_entropy: the bias must be ({}) for w {}; got {}", w.dim(0),
        w.shape().to_string(), b.defined() ? b.shape().to_string() : "");
  const std::int64_t n = x.dim(0), d = x.dim(1), v = w.dim(0);
  const double factor = check_labels("linear_cross_entropy", labels, v, reduction);
  const auto bias = b.defined() ? b.data() : std::span<const real>();
  if (!grad_enabled() || !(x.requires_grad() || w.requires_grad() || b.requires_grad())) {
    return Tensor::scalar(static_cast<real>(loss_in_blocks(x, w, bias, labels) * factor));
  }
  Tensor dz = Tensor::empty({n, v});
  kernels::gemm(Transpose::no, Transpose::yes, n, v, d, x.data().data(), w.data().data(), 0,
                dz.data_mut().data());
  const double loss = kernels::cross_entropy(n, v, dz.data(), bias, labels,
                                             static_cast<real>(factor), dz.data_mut());
  const std::array<Tensor, 3> inputs{x, w, b};
  const bool with_bias = b.defined();
  return record("linear_cross_entropy", Tensor::scalar(static_cast<real>(loss * factor)),
                std::span(inputs).first(with_bias ? 3 : 2),
                [n, d, v, dz, x = x.detach(), w = w.detach(), needs_dx = x.requires_grad(),
                 with_bias](const Tensor& dloss) {
                  const real alpha = dloss.item();
                  Tensor dx;
                  if (needs_dx) {
                    dx = Tensor::empty(x.shape());
                    kernels::gemm(Transpose::no, Transpose::no, n, d, v, dz.data().data(),
                                  w.data().data(), 0, dx.data_mut().data(), alpha);
                  }
                  const auto add_dw = [n, d, v, dz, x, alpha](real beta, std::span<real> dw) {
                    kernels::gemm(Transpose::yes, Transpose::no, v, d, n, dz.data().data(),
                                  x.data().data(), beta, dw.data(), alpha);
                  };
                  Gradients gradients{dx, Gradient(w.shape(), add_dw)};
                  if (with_bias) {
                    const auto add_db = [n, v, dz, alpha](real beta, std::span<real> db) {
                      kernels::column_sums(n, v, dz.data().data(), beta, db.data(), alpha);
                    };
                    gradients.emplace_back(Shape{v}, add_db);
                  }
                  return gradients;
                });
}

}  // namespace terse
