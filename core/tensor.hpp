// Tensor: a value handle to shared storage, with what autograd knows about it.
//
// `real` numbers, row-major and contiguous. Copying a handle aliases the tensor, clone() copies the
// numbers. Views (reshape, slice of dimension 0, in core/ops.hpp) share storage. A tensor belongs
// to one thread at a time; const functions may be called from several.
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
  Tensor() = default;  // undefined: no storage, no shape; only defined() may be asked

  static Tensor empty(const Shape& shape);  // not initialised
  static Tensor full(const Shape& shape, real value);
  static Tensor zeros(const Shape& shape) { return full(shape, 0); }
  static Tensor from(const Shape& shape, std::span<const real> values);
  static Tensor from(const Shape& shape, std::initializer_list<real> values) {
    return from(shape, std::span(values.begin(), values.size()));
  }
  static Tensor scalar(real value) { return full(Shape{}, value); }

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const;
  std::int64_t dim(int i) const { return shape()[i]; }
  int rank() const { return shape().rank(); }
  std::int64_t numel() const { return shape().numel(); }

  std::span<const real> data() const;
  std::span<real> data_mut();  // writing is seen through every handle and view
  real item() const;           // of a tensor with one element

  // A copy with storage of its own, outside the graph.
  Tensor clone() const;
  // The same storage, outside the graph: what an operator keeps for its backward.
  Tensor detach() const;
  // The same numbers seen under another shape, from an offset on, outside the graph.
  Tensor view(const Shape& shape, std::int64_t offset = 0) const;
  // True if both handles see the same storage from the same place.
  bool same_storage(const Tensor& other) const;

  // ---- autograd ----
  bool requires_grad() const;  // a leaf that asked for it, or a result that depends on one
  Tensor& set_requires_grad(bool value = true);  // leaves only
  // d(root)/d(this), summed over all backward calls since zero_grad; undefined if there was none.
  Tensor grad() const;
  void zero_grad();
  // Adds d(this)/d(leaf) to every leaf that this tensor depends on. It must have one element.
  void backward() const;
  void backward(const Tensor& dy) const;  // from a given gradient of this tensor's shape

  // Moves the leaf's numbers to `home`, and its future gradients to `grad_home`, for every handle
  // to it. Both are views of this shape; the numbers are copied there. (core/parameters.hpp)
  void rehome(const Tensor& home, const Tensor& grad_home);

 private:
  friend class Graph;
  struct Impl {
    std::shared_ptr<Storage> storage;
    std::int64_t offset = 0;
    Shape shape;
    bool requires_grad = false;
    std::shared_ptr<Node> node;    // what made it; null for a leaf
    std::unique_ptr<Tensor> grad;  // leaves: where gradients are added up
    bool has_grad = false;         // false: the next gradient overwrites what stands in grad
  };
  std::shared_ptr<Impl> impl_;
};

}  // namespace terse
