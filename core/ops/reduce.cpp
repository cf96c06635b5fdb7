#include <cmath>
#include <memory>
#include <vector>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/reduce.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

// A tensor as (outer, n, inner), where n is the size of one dimension.
struct Split {
  std::int64_t outer = 1, n = 1, inner = 1;
};

Split split_at(const char* op, const Tensor& x, int dim) {
  check(dim >= 0 && dim < x.rank(), "{}: x {} has no dimension {}", op, x.shape().to_string(), dim);
  Split split;
  for (int i = 0; i < dim; ++i) split.outer *= x.dim(i);
  split.n = x.dim(dim);
  for (int i = dim + 1; i < x.rank(); ++i) split.inner *= x.dim(i);
  return split;
}

// y (outer, inner) = sum over n of x (outer, n, inner); dx = dy, repeated n times.
Tensor sum_split(const Tensor& x, const Split& split, const Shape& to) {
  Tensor y = Tensor::empty(to);
  kernels::sum_middle(split.outer, split.n, split.inner, x.data(), y.data_mut());
  return record("sum", y, {x}, [split, from = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::empty(from);
    kernels::repeat_middle(split.outer, split.n, split.inner, dy.data(), dx.data_mut());
    return Gradients{dx};
  });
}

}  // namespace

Tensor sum(const Tensor& x) {
  return sum_split(x, {.outer = 1, .n = x.numel(), .inner = 1}, {});
}

Tensor sum(const Tensor& x, int dim) {
  const Split split = split_at("sum", x, dim);
  return sum_split(x, split, x.shape().without(dim));
}

Tensor mean(const Tensor& x) {
  check(x.numel() > 0, "mean: expected at least one element; got {}", x.shape().to_string());
  return scale(sum(x), real{1} / static_cast<real>(x.numel()));
}

Tensor mean(const Tensor& x, int dim) {
  const Split split = split_at("mean", x, dim);
  check(split.n > 0, "mean: dimension {} of {} has no elements", dim, x.shape().to_string());
  return scale(sum(x, dim), real{1} / static_cast<real>(split.n));
}

// y = the maximum of x (outer, n, inner) along n, NaN if there is one. dx = dy at the maximum and
// 0 elsewhere.
Tensor max(const Tensor& x, int dim) {
  const Split split = split_at("max", x, dim);
  check(split.n > 0, "max: dimension {} of {} has no elements", dim, x.shape().to_string());
  Tensor y = Tensor::empty(x.shape().without(dim));
  auto where = std::make_shared<std::vector<std::int64_t>>();  // index into x, for each y
  const auto xs = x.data();
  const auto ys = y.data_mut();
  for (std::int64_t o = 0; o < split.outer; ++o) {
    for (std::int64_t j = 0; j < split.inner; ++j) {
      std::int64_t best = o * split.n * split.inner + j;
      for (std::int64_t i = 1; i < split.n; ++i) {
        const std::int64_t at = (o * split.n + i) * split.inner + j;
        const real value = xs[static_cast<std::size_t>(at)],
                   most = xs[static_cast<std::size_t>(best)];
        if (value > most || (std::isnan(value) && !std::isnan(most))) best = at;
      }
      ys[where->size()] = xs[static_cast<std::size_t>(best)];
      where->push_back(best);
    }
  }
  return record("max", y, {x}, [where, from = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::zeros(from);
    for (std::size_t i = 0; i < where->size(); ++i) {
      dx.data_mut()[static_cast<std::size_t>((*where)[i])] = dy.data()[i];
    }
    return Gradients{dx};
  });
}

}  // namespace terse
