// Autograd: eager, made of closures.
//
// An operator is one function: it computes its result and hands a closure to `record`, which
// returns one gradient per input. The engine runs the nodes in descending creation number, checks
// every returned shape and adds gradients up; nothing recurses over the graph.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "core/tensor.hpp"

namespace terse {

// Gradients of an operator's inputs, in their order. An undefined one means "not needed": allowed
// for an input that does not require a gradient.
using Gradients = std::vector<Tensor>;

// A pure function of the output's gradient. It captures by name, inputs and the output only as
// detach(): a captured node would be a cycle, or a destructor that recurses.
using Backward = std::function<Gradients(const Tensor& dy)>;

// Attaches the operator to its result, if grad mode is on and an input requires a gradient.
// `name` is a string literal.
Tensor record(const char* name, Tensor result, std::initializer_list<Tensor> inputs,
              Backward backward);
Tensor record(const char* name, Tensor result, std::span<const Tensor> inputs, Backward backward);

// Grad mode of this thread: on until a NoGrad lives.
bool grad_enabled();
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

}  // namespace terse
