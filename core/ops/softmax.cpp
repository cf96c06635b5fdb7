#include "core/kernels/softmax.hpp"

#include <memory>
#include <vector>

#include "core/autograd.hpp"
#include "core/error.hpp"
#include "core/ops.hpp"

namespace terse {
namespace {

// (rows, D) around the last dimension.
struct Rows {
  std::int64_t rows, d;
};
Rows rows_of(const char* op, const Tensor& x) {
  check(x.rank() >= 1, "{}: at least one dimension is wanted; got {}", op, x.shape().to_string());
  const std::int64_t d = x.dim(x.rank() - 1);
  return {d == 0 ? 0 : x.numel() / d, d};
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

// loss = -sum over rows of log softmax(x)[label], over N if the mean is wanted;
// dx = (softmax(x) - onehot(label)) dloss, over N likewise
Tensor cross_entropy(const Tensor& x, std::span<const std::int32_t> labels, Reduction reduction) {
  check(x.rank() == 2 && x.dim(0) == static_cast<std::int64_t>(labels.size()),
        "cross_entropy: x (N, D) and N labels are wanted; got {} and {}", x.shape().to_string(),
        labels.size());
  const std::int64_t n = x.dim(0), d = x.dim(1);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    check(labels[i] >= 0 && labels[i] < d,
          "cross_entropy: a label must be in [0, {}); label {} is {}", d, i, labels[i]);
  }
  check(n > 0 || reduction == Reduction::sum,
        "cross_entropy: the mean over no rows is undefined; use Reduction::sum");
  Tensor probabilities = Tensor::empty(x.shape());
  const double loss =
      kernels::cross_entropy_forward(n, d, x.data(), labels, probabilities.data_mut());
  const double factor = reduction == Reduction::mean ? 1.0 / static_cast<double>(n) : 1.0;
  return record("cross_entropy", Tensor::scalar(static_cast<real>(loss * factor)), {x},
                [probabilities, n, d, scale = static_cast<real>(factor),
                 labels = std::vector(labels.begin(), labels.end())](const Tensor& dy) {
                  Tensor dx = Tensor::empty({n, d});
                  kernels::cross_entropy_backward(n, d, probabilities.data(), labels,
                                                  scale * dy.item(), dx.data_mut());
                  return Gradients{dx};
                });
}

}  // namespace terse
