#include "tersegrad/core/tensor.hpp"

#include "tersegrad/core/allocator.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/elementwise.hpp"

namespace terse {

struct Storage {
  explicit Storage(std::int64_t count)
      : bytes(static_cast<std::size_t>(count) * sizeof(real)),
        values(static_cast<real*>(allocate(bytes))) {}
  ~Storage() { deallocate(values, bytes); }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::size_t bytes;
  real* values;
};

Tensor Tensor::empty(const Shape& shape) {
  Tensor t;
  t.impl_ = std::make_shared<Impl>();
  t.impl_->storage = std::make_shared<Storage>(shape.numel());
  t.impl_->shape = shape;
  return t;
}

Tensor Tensor::full(const Shape& shape, real value) {
  Tensor t = empty(shape);
  const auto data = t.data_mut();
  std::fill(data.begin(), data.end(), value);
  return t;
}

Tensor Tensor::from(const Shape& shape, std::span<const real> values) {
  check(static_cast<std::int64_t>(values.size()) == shape.numel(),
        "Tensor::from: shape {} has {} elements; got {} values", shape.to_string(), shape.numel(),
        values.size());
  Tensor t = empty(shape);
  std::copy(values.begin(), values.end(), t.data_mut().begin());
  return t;
}

const Shape& Tensor::shape() const {
  check(defined(), "Tensor: an undefined tensor has no shape and no elements");
  return impl_->shape;
}

std::span<const real> Tensor::data() const {
  const auto n = static_cast<std::size_t>(numel());
  return {impl_->storage->values + impl_->offset, n};
}

std::span<real> Tensor::data_mut() {
  const auto n = static_cast<std::size_t>(numel());
  return {impl_->storage->values + impl_->offset, n};
}

real Tensor::item() const {
  check(numel() == 1, "item: the tensor must have one element; got {}", shape().to_string());
  return data()[0];
}

Tensor Tensor::clone() const {
  Tensor t = empty(shape());
  kernels::copy(data(), t.data_mut());
  return t;
}

Tensor Tensor::detach() const {
  return view(shape());
}

Tensor Tensor::view(const Shape& shape, std::int64_t offset) const {
  internal_check(offset >= 0 && offset + shape.numel() <= numel(),
                 "view: expected elements within {}; got {} at offset {}",
                 this->shape().to_string(), shape.to_string(), offset);
  Tensor t;
  t.impl_ = std::make_shared<Impl>();
  t.impl_->storage = impl_->storage;
  t.impl_->offset = impl_->offset + offset;
  t.impl_->shape = shape;
  return t;
}

bool Tensor::same_storage(const Tensor& other) const {
  return defined() && other.defined() && impl_->storage == other.impl_->storage &&
         impl_->offset == other.impl_->offset;
}

bool Tensor::requires_grad() const {
  return defined() && impl_->requires_grad;
}

Tensor& Tensor::set_requires_grad(bool value) {
  check(defined() && !impl_->node, "set_requires_grad: expected a leaf; got {}",
        defined() ? "the result of an operator" : "an undefined tensor");
  impl_->requires_grad = value;
  return *this;
}

Tensor Tensor::grad() const {
  return defined() && impl_->has_grad ? *impl_->grad : Tensor();
}

void Tensor::zero_grad() {
  if (defined()) impl_->has_grad = false;
}

void Tensor::rehome(const Tensor& home, const Tensor& grad_home) {
  internal_check(defined() && !impl_->node, "rehome: only a leaf can be moved");
  internal_check(home.shape() == shape() && grad_home.shape() == shape(),
                 "rehome: expected memory of shape {} for values and gradient; got {} and {}",
                 shape().to_string(), home.shape().to_string(), grad_home.shape().to_string());
  Tensor target = home;
  kernels::copy(data(), target.data_mut());
  impl_->storage = home.impl_->storage;
  impl_->offset = home.impl_->offset;
  impl_->grad = std::make_unique<Tensor>(grad_home);
  impl_->has_grad = false;
}

}  // namespace terse
