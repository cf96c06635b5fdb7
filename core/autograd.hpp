// Autograd: eager, made of closures.
//
// An operator is one function: it computes its result and hands a closure to `record`, which
// returns one gradient per input. The engine runs the nodes in descending creation number, checks
// every returned shape and adds gradients up; nothing recurses over the graph.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "tersegrad/core/tensor.hpp"

namespace terse {

// The gradient of one input, in the form that costs its operator least: a tensor, a few rows, or a
// computation that adds itself where the gradient is wanted. A leaf takes the last two in place,
// so that a large parameter's gradient is never copied.
class Gradient {
 public:
  // dx = gradient + beta dx. beta is 0, where dx is not initialised, or 1.
  using AddTo = std::function<void(real beta, std::span<real> dx)>;

  Gradient() = default;                           // not needed
  Gradient(Tensor all) : all_(std::move(all)) {}  // not explicit: the usual form
  Gradient(const Shape& shape, AddTo add_to);     // computed once backward has returned
  // Rows ids[i] (slices of dimension 0) of a gradient that is zero elsewhere: values (n, ...). Ids
  // may repeat: their rows are added, in order. They are a view of what the closure captured.
  static Gradient rows(const Shape& shape, std::span<const std::int32_t> ids, Tensor values);

  bool defined() const { return all_.defined() || add_to_; }
  const Shape& shape() const { return all_.defined() ? all_.shape() : shape_; }
  Tensor dense() const;
  void add_to(real beta, std::span<real> dx) const;

 private:
  friend class Graph;
  Tensor all_;  // or:
  Shape shape_;
  AddTo add_to_;
  std::span<const std::int32_t> ids_;  // of rows, for the engine to check
};

// Gradients of an operator's inputs, in their order. An undefined one means "not needed": allowed
// for an input that does not require a gradient.
using Gradients = std::vector<Gradient>;

// A pure function of the output's gradient. It captures by name, inputs and the output only as
// detach(): a captured node would be a cycle, or a destructor that recurses.
using Backward = std::function<Gradients(const Tensor& dy)>;

// Attaches the operator to its result, if grad mode is on and an input requires a gradient.
// `name` is a string literal.
Tensor record(const char* name, Tensor result, std::initializer_list<Tensor> inputs,
              Backward backward);
Tensor record(const char* name, Tensor result, std::span<const Tensor> inputs, Backward backward);

// root.backward(), and meanwhile `complete` is called with every leaf that it reaches: once, when
// the last of its uses has added its gradient. Leaves used late in the forward pass come first.
using Complete = std::function<void(const Tensor& leaf)>;
void backward(const Tensor& root, const Complete& complete);

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
