// Compares an operator's gradient with finite differences.
//
//   check_gradient([](std::span<const Tensor> in) { return tanh(in[0]); },
//                  {random_tensor({3, 5}, 1)});
//
// The check is precise where `real` is double (link terse::core_double). With float it finds only
// gross errors.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/tensor.hpp"

namespace terse {

struct GradientCheck {
  // |analytic - numeric| <= tolerance · max(1, |analytic|, |numeric|) for every element.
  double tolerance = sizeof(real) == sizeof(double) ? 1e-6 : 2e-2;
  double step = sizeof(real) == sizeof(double) ? 1e-5 : 1e-2;  // of the central difference
};

struct GradientCheckReport {
  double worst = 0;           // maximum of |analytic - numeric| / max(1, |analytic|, |numeric|)
  std::int64_t elements = 0;  // number of elements compared
};

// Compares d<w, f(inputs)>/d(inputs), for fixed random weights w, with central differences. Throws
// Error if an element differs, if an input gets no gradient, if both gradients of an input are zero
// everywhere, or if f modifies its inputs; the message names the input and the element. If the
// input or the output has no elements, a defined gradient is enough. Evaluates f 2 n + 1 times for
// inputs of n elements in total.
GradientCheckReport check_gradient(FunctionRef<Tensor(std::span<const Tensor> inputs)> f,
                                   std::vector<Tensor> inputs, GradientCheck options = {});

// Uniform in [-1, -0.05] and [0.05, 1]: no value is within a step of 0, where relu has a kink.
Tensor random_tensor(const Shape& shape, std::uint64_t seed);

}  // namespace terse
