// Tensor: a handle to shared storage, with a shape and autograd state.
//
// Elements are of type `real`, row-major and contiguous. Copying a handle aliases the tensor;
// clone() copies the elements. Views (reshape, and slice of dimension 0, in core/ops.hpp) share
// storage. Only one thread at a time may modify a tensor; several threads may call const functions.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "tersegrad/core/real.hpp"
#include "tersegrad/core/shape.hpp"

namespace terse {

struct Node;     // core/autograd.hpp
struct Storage;  // a block from the allocator

class Tensor {
 public:
  Tensor() = default;  // undefined: no storage and no shape

  static Tensor empty(const Shape& shape);  // uninitialised
  static Tensor full(const Shape& shape, real value);
  static Tensor zeros(const Shape& shape) { return full(shape, 0); }
  // A copy of `values`, in row-major order. Throws Error unless there are shape.numel() of them.
  static Tensor from(const Shape& shape, std::span<const real> values);
  static Tensor from(const Shape& shape, std::initializer_list<real> values) {
    return from(shape, std::span(values.begin(), values.size()));
  }
  static Tensor scalar(real value) { return full(Shape{}, value); }

  bool defined() const { return impl_ != nullptr; }
  // The shape and everything that needs it throw Error for an undefined tensor.
  const Shape& shape() const;
  std::int64_t dim(int i) const { return shape()[i]; }
  int rank() const { return shape().rank(); }
  std::int64_t numel() const { return shape().numel(); }

  std::span<const real> data() const;
  std::span<real> data_mut();  // writes are visible through every handle and view
  real item() const;           // Error unless the tensor has exactly one element

  // A copy with its own storage, outside the graph.
  Tensor clone() const;
  // A handle to the same storage, outside the graph. Operators keep this form for their backward.
  Tensor detach() const;
  // A view of the same storage with another shape, from element `offset` on, outside the graph.
  Tensor view(const Shape& shape, std::int64_t offset = 0) const;
  // Whether both handles refer to the same storage at the same offset.
  bool same_storage(const Tensor& other) const;

  // ---- autograd ----
  bool requires_grad() const;  // set on a leaf, or a result that depends on such a leaf
  Tensor& set_requires_grad(bool value = true);  // Error unless this is a leaf
  // d(root)/d(this), summed over all backward calls since zero_grad; undefined if there was none.
  Tensor grad() const;
  void zero_grad();
  // Adds d(this)/d(leaf) to the gradient of every leaf that this tensor depends on. Throws Error
  // unless this tensor has exactly one element and requires a gradient.
  void backward() const;
  void backward(const Tensor& dy) const;  // dy: the gradient of this tensor, same shape

  // Copies the leaf's elements to `home` and makes every handle to the leaf refer to `home`. Future
  // gradients are accumulated in `grad_home`. Both are views of this leaf's shape; see
  // core/parameters.hpp.
  void rehome(const Tensor& home, const Tensor& grad_home);

 private:
  friend class Graph;
  struct Impl {
    std::shared_ptr<Storage> storage;
    std::int64_t offset = 0;
    Shape shape;
    bool requires_grad = false;
    std::shared_ptr<Node> node;    // the operator that computed it; null for a leaf
    std::unique_ptr<Tensor> grad;  // leaves only: the sum of gradients
    bool has_grad = false;         // false: the next gradient overwrites *grad
  };
  std::shared_ptr<Impl> impl_;
};

}  // namespace terse
