#include "tersegrad/core/testing/check_gradient.hpp"

#include <algorithm>
#include <cmath>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"

namespace terse {
namespace {

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.data().size(); ++i) {
    sum += static_cast<double>(a.data()[i]) * static_cast<double>(b.data()[i]);
  }
  return sum;
}

}  // namespace

Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Philox random(seed, {.purpose = Purpose::test});
  Tensor t = Tensor::empty(shape);
  for (auto& v : t.data_mut()) {
    const double magnitude = 0.05 + 0.95 * random.uniform_double();
    v = static_cast<real>(random.next() % 2 == 0 ? magnitude : -magnitude);
  }
  return t;
}

GradientCheckReport check_gradient(FunctionRef<Tensor(std::span<const Tensor>)> f,
                                   std::vector<Tensor> inputs, GradientCheck options) {
  std::vector<Tensor> before;
  for (auto& input : inputs) {
    input = input.clone();
    before.push_back(input.clone());
    input.set_requires_grad();
  }
  const Tensor y = f(inputs);
  check(y.requires_grad() || y.numel() == 0, "check_gradient: the output depends on no input");
  const Tensor weights = random_tensor(y.shape(), 0x9e3779b9);
  if (y.requires_grad()) y.backward(weights);

  GradientCheckReport report;
  const NoGrad no_grad;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor gradient = inputs[i].grad();
    check(gradient.defined(), "check_gradient: backward returned no gradient for input {} {}", i,
          inputs[i].shape().to_string());
    double largest = 0;
    for (std::size_t j = 0; j < gradient.data().size(); ++j) {
      real& x = inputs[i].data_mut()[j];
      const real centre = x;
      check(centre == before[i].data()[j], "check_gradient: the operator wrote to its input {}", i);
      x = static_cast<real>(centre + options.step);
      const double width_up = static_cast<double>(x) - static_cast<double>(centre);
      const double up = dot(f(inputs), weights);
      x = static_cast<real>(centre - options.step);
      const double width_down = static_cast<double>(centre) - static_cast<double>(x);
      const double down = dot(f(inputs), weights);
      x = centre;
      const double numeric = (up - down) / (width_up + width_down);
      const double analytic = static_cast<double>(gradient.data()[j]);
      const double scale = std::max({1.0, std::abs(numeric), std::abs(analytic)});
      const double error = std::abs(numeric - analytic) / scale;
      check(error <= options.tolerance,
            "check_gradient: input {} {}, element {}: backward gives {}, finite differences give "
            "{}",
            i, inputs[i].shape().to_string(), j, analytic, numeric);
      report.worst = std::max(report.worst, error);
      largest = std::max({largest, std::abs(numeric), std::abs(analytic)});
      ++report.elements;
    }
    check(largest > options.tolerance || gradient.numel() == 0 || y.numel() == 0,
          "check_gradient: the output does not depend on input {} {}: both gradients are zero", i,
          inputs[i].shape().to_string());
  }
  return report;
}

}  // namespace terse
