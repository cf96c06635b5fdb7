// Autograd: eager, built from closures.
//
// An operator is one function: it computes its result and passes a closure to `record`. The closure
// returns one gradient per input. `backward` runs the recorded nodes in descending order of
// creation, checks the shape of every returned gradient and accumulates gradients. Nothing recurses
// over the graph.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

#include "tersegrad/core/tensor.hpp"

namespace terse {

// The gradient of one input, in the form that is cheapest for its operator: a tensor, a few rows,
// or a function that adds the gradient to a buffer. Gradients of the last two forms are written
// directly to a leaf's gradient buffer, so the gradient of a large parameter is never copied.
class Gradient {
 public:
  // dx = gradient + beta · dx. beta is 0 or 1; where it is 0, dx is not initialised.
  using AddTo = std::function<void(real beta, std::span<real> dx)>;

  Gradient() = default;                           // undefined: not needed
  Gradient(Tensor all) : all_(std::move(all)) {}  // implicit: the usual form
  // `add_to` is called after the operator's Backward has returned, so it must own what it uses.
  Gradient(const Shape& shape, AddTo add_to);
  // A gradient that is zero except for the rows ids[i] (slices of dimension 0); `values` has shape
  // (n, ...). Repeated ids are allowed: their rows are added, in order. `ids` is not copied: it
  // must be a view of memory that the closure captured.
  static Gradient rows(const Shape& shape, std::span<const std::int32_t> ids, Tensor values);

  bool defined() const { return all_.defined() || add_to_; }
  const Shape& shape() const { return all_.defined() ? all_.shape() : shape_; }
  // The gradient as a tensor. add_to: dx = gradient + beta · dx, as for AddTo.
  Tensor dense() const;
  void add_to(real beta, std::span<real> dx) const;

 private:
  friend class Graph;
  Tensor all_;  // either this, or shape_ and add_to_
  Shape shape_;
  AddTo add_to_;
  std::span<const std::int32_t> ids_;  // of `rows`; the engine checks their range
};

// Gradients of an operator's inputs, in the order of the inputs. An undefined entry means "not
// needed" and is allowed only for an input that does not require a gradient.
using Gradients = std::vector<Gradient>;

// The gradients of the inputs as a pure function of the output's gradient dy. The closure lists its
// captures by name, and captures inputs and the output only as detach(). If the closure held a
// tensor with its node, the graph would have a reference cycle, or its destructors would recurse.
using Backward = std::function<Gradients(const Tensor& dy)>;

// Records the operator as the creator of `result` and returns `result`. Nothing is recorded if grad
// mode is off or no input requires a gradient. `name` must be a string literal.
Tensor record(const char* name, Tensor result, std::initializer_list<Tensor> inputs,
              Backward backward);
Tensor record(const char* name, Tensor result, std::span<const Tensor> inputs, Backward backward);

// Like root.backward(). Calls `complete` once for every leaf that root depends on, when the last
// use of the leaf has added its gradient: leaves that are used late in the forward pass come first.
// Throws Error if root does not have exactly one element or requires no gradient.
using Complete = std::function<void(const Tensor& leaf)>;
void backward(const Tensor& root, const Complete& complete);

// Whether operators of this thread are recorded. A NoGrad turns recording off while it lives.
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
