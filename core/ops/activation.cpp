#include <cmath>

#include "core/autograd.hpp"
#include "core/kernels/elementwise.hpp"
#include "core/ops.hpp"

namespace terse {
namespace {

// An activation y = f(x) whose derivative is a function of y alone: dx = df(dy, y).
template <class F, class Df>
Tensor activation(const char* name, const Tensor& x, F f, Df df) {
  Tensor y = Tensor::empty(x.shape());
  kernels::map(x.data(), y.data_mut(), f);
  return record(name, y, {x}, [y = y.detach(), df](const Tensor& dy) {
    Tensor dx = Tensor::empty(dy.shape());
    kernels::zip(dy.data(), y.data(), dx.data_mut(), df);
    return Gradients{dx};
  });
}

}  // namespace

// y = max(x, 0), dx = dy where y > 0. NaN stays NaN.
Tensor relu(const Tensor& x) {
  return activation(
      "relu", x, [](real v) { return v < 0 ? real{0} : v; },
      [](real d, real y) { return y > 0 ? d : real{0}; });
}

// dx = dy (1 - y²)
Tensor tanh(const Tensor& x) {
  return activation(
      "tanh", x, [](real v) { return std::tanh(v); },
      [](real d, real y) { return d * (1 - y * y); });
}

// y = 1 / (1 + e⁻ˣ), dx = dy y (1 - y)
Tensor sigmoid(const Tensor& x) {
  return activation(
      "sigmoid", x, [](real v) { return 1 / (1 + std::exp(-v)); },
      [](real d, real y) { return d * y * (1 - y); });
}

}  // namespace terse
