// Compares an operator's gradient with finite differences.
//
//   check_gradient([](std::span<const Tensor> in) { return tanh(in[0]); },
//                  {random_tensor({3, 5}, 1)});
//
// Sharp where real is double (link terse::core_double); with float only gross errors show.
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

struct GradientReport {
  double worst = 0;           // the greatest error, in units of the tolerance's right-hand side
  std::int64_t elements = 0;  // compared
};

// Checks d<w, f(inputs)>/d(inputs) for fixed random weights w. Throws Error with the place if an
// element differs, if an input gets no gradient, if the output does not depend on an input (both
// gradients are zero everywhere), or if f changes its inputs. Where the input or the output has no
// elements, only a gradient of the right shape is asked for.
GradientReport check_gradient(FunctionRef<Tensor(std::span<const Tensor> inputs)> f,
                              std::vector<Tensor> inputs, GradientCheck options = {});

// Uniform in [-1, 1] without the middle tenth, so that no kink of relu is within a step of a value.
Tensor random_tensor(const Shape& shape, std::uint64_t seed);

}  // namespace terse
