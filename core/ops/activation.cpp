#include <cmath>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/kernels/elementwise.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

// An activation y = f(x) whose derivative is a function of y: dx = df(dy, y).
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

// y = max(x, 0), dx = dy if y > 0, otherwise 0. y is NaN where x is.
Tensor relu(const Tensor& x) {
  return activation(
      "relu", x, [](real v) { return v < 0 ? real{0} : v; },
      [](real d, real y) { return y > 0 ? d : real{0}; });
}

// y = tanh x, dx = dy (1 - y²)
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

// y = x Φ(x), dx = dy (Φ(x) + x φ(x)), where Φ(x) = (1 + erf(x / √2)) / 2 and φ is its derivative
// (Hendrycks & Gimpel 2016).
Tensor gelu(const Tensor& x) {
  constexpr auto kRootHalf = static_cast<real>(0.70710678118654752440);
  constexpr auto kRootTwoPi = static_cast<real>(2.50662827463100050242);
  const auto below = [](real v) { return (1 + std::erf(v * kRootHalf)) / 2; };
  Tensor y = Tensor::empty(x.shape());
  kernels::map(x.data(), y.data_mut(), [below](real v) { return v * below(v); });
  return record("gelu", y, {x}, [x = x.detach(), below](const Tensor& dy) {
    Tensor dx = Tensor::empty(dy.shape());
    kernels::zip(dy.data(), x.data(), dx.data_mut(), [below](real d, real v) {
      return d * (below(v) + v * std::exp(-v * v / 2) / kRootTwoPi);
    });
    return Gradients{dx};
  });
}

}  // namespace terse
