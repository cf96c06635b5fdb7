#include <algorithm>
#include <numeric>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/elementwise.hpp"
#include "tersegrad/core/kernels/reduce.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {

// Broadcasting is an operator of its own, so the backward of other operators need not sum over
// broadcast dimensions.
Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int lead = shape.rank() - x.rank();
  bool fits = lead >= 0;
  for (int i = 0; fits && i < x.rank(); ++i) fits = x.dim(i) == shape[lead + i] || x.dim(i) == 1;
  check(fits,
        "broadcast_to: every size must be 1 or equal to the target's; got {} and the target {}",
        x.shape().to_string(), shape.to_string());
  Tensor y = Tensor::empty(shape);
  kernels::broadcast(x.shape(), shape, x.data(), y.data_mut());
  return record("broadcast_to", y, {x}, [from = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::empty(from);
    kernels::broadcast_sum(from, dy.shape(), dy.data(), dx.data_mut());
    return Gradients{dx};
  });
}

Tensor reshape(const Tensor& x, const Shape& shape) {
  check(x.numel() == shape.numel(),
        "reshape: expected a shape of {} elements for x {}; got {} of {} elements", x.numel(),
        x.shape().to_string(), shape.to_string(), shape.numel());
  return record("reshape", x.view(shape), {x},
                [from = x.shape()](const Tensor& dy) { return Gradients{dy.view(from)}; });
}

Tensor flatten(const Tensor& x) {
  check(x.rank() >= 1, "flatten: expected at least one dimension; got {}", x.shape().to_string());
  const auto dims = x.shape().dims().subspan(1);
  const std::int64_t d =
      std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
  return reshape(x, {x.dim(0), d});
}

// dx = dy inside the slice and 0 outside.
Tensor slice(const Tensor& x, std::int64_t begin, std::int64_t end) {
  check(x.rank() >= 1 && begin >= 0 && begin <= end && end <= x.dim(0),
        "slice: expected a range within dimension 0 of x {}; got [{}, {})", x.shape().to_string(),
        begin, end);
  const std::int64_t row = x.shape().without(0).numel();
  return record("slice", x.view(x.shape().with(0, end - begin), begin * row), {x},
                [from = x.shape(), offset = begin * row](const Tensor& dy) {
                  Tensor dx = Tensor::zeros(from);
                  const auto part = dy.data();
                  std::copy(part.begin(), part.end(), dx.data_mut().begin() + offset);
                  return Gradients{dx};
                });
}

// Each part is treated as (outer, n_i, inner), the result as (outer, sum of n_i, inner).
Tensor concat(std::span<const Tensor> parts, int dim) {
  check(!parts.empty(), "concat: expected at least one tensor; got none");
  const Shape& first = parts[0].shape();
  check(dim >= 0 && dim < first.rank(), "concat: {} has no dimension {}", first.to_string(), dim);
  std::int64_t total = 0;
  for (const auto& part : parts) {
    check(part.rank() == first.rank() && part.shape().without(dim) == first.without(dim),
          "concat: all sizes except that of dimension {} must be equal; got {} and {}", dim,
          first.to_string(), part.shape().to_string());
    total += part.dim(dim);
  }
  const auto dims = first.dims();
  const auto split = dims.begin() + dim;
  const std::int64_t outer =
      std::accumulate(dims.begin(), split, std::int64_t{1}, std::multiplies<>());
  const std::int64_t inner =
      std::accumulate(split + 1, dims.end(), std::int64_t{1}, std::multiplies<>());

  Tensor y = Tensor::empty(first.with(dim, total));
  std::vector<Shape> shapes;
  std::int64_t offset = 0;
  for (const auto& part : parts) {
    const std::int64_t run = part.dim(dim) * inner;
    for (std::int64_t o = 0; o < outer; ++o) {
      std::copy_n(part.data().begin() + o * run, run,
                  y.data_mut().begin() + o * total * inner + offset);
    }
    offset += run;
    shapes.push_back(part.shape());
  }
  return record("concat", y, parts, [shapes, dim, outer, inner, total](const Tensor& dy) {
    Gradients gradients;
    std::int64_t from = 0;
    for (const auto& shape : shapes) {
      const std::int64_t run = shape[dim] * inner;
      Tensor part = Tensor::empty(shape);
      for (std::int64_t o = 0; o < outer; ++o) {
        std::copy_n(dy.data().begin() + o * total * inner + from, run,
                    part.data_mut().begin() + o * run);
      }
      from += run;
      gradients.push_back(std::move(part));
    }
    return gradients;
  });
}

}  // namespace terse
