// An operator of this program's own.
#pragma once

#include <cmath>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/kernels/elementwise.hpp"
#include "tersegrad/core/tensor.hpp"

namespace stripes {

// y = x s, dx = dy s (1 + x (1 - s)), with s = 1 / (1 + e⁻ˣ)
inline terse::Tensor swish(const terse::Tensor& x) {
  using terse::real;
  const auto sigmoid = [](real v) { return 1 / (1 + std::exp(-v)); };
  terse::Tensor y = terse::Tensor::empty(x.shape());
  terse::kernels::map(x.data(), y.data_mut(), [=](real v) { return v * sigmoid(v); });
  return terse::record("swish", y, {x}, [=, x = x.detach()](const terse::Tensor& dy) {
    terse::Tensor dx = terse::Tensor::empty(dy.shape());
    terse::kernels::zip(dy.data(), x.data(), dx.data_mut(), [=](real d, real v) {
      const real s = sigmoid(v);
      return d * s * (1 + v * (1 - s));
    });
    return terse::Gradients{dx};
  });
}

}  // namespace stripes
