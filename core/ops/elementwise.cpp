#include <cmath>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/elementwise.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

// The shape to which both operands are broadcast.
Shape common_shape(const char* op, const Shape& a, const Shape& b) {
  Shape result = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  const int lead = result.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    const std::int64_t x = result[lead + i], y = shorter[i];
    check(x == y || x == 1 || y == 1,
          "{}: sizes must be equal or 1, counted from the last dimension; got {} and {}", op,
          a.to_string(), b.to_string());
    result = result.with(lead + i, x == 1 ? y : x);
  }
  return result;
}

template <class F>
Tensor zip(const Tensor& a, const Tensor& b, F f) {
  Tensor y = Tensor::empty(a.shape());
  kernels::zip(a.data(), b.data(), y.data_mut(), f);
  return y;
}

template <class F>
Tensor map(const Tensor& x, F f) {
  Tensor y = Tensor::empty(x.shape());
  kernels::map(x.data(), y.data_mut(), f);
  return y;
}

real product(real u, real v) {
  return u * v;
}

}  // namespace

// y = a + b, da = dy, db = dy, after broadcasting.
Tensor add(const Tensor& a, const Tensor& b) {
  const Shape shape = common_shape("add", a.shape(), b.shape());
  const Tensor u = broadcast_to(a, shape), v = broadcast_to(b, shape);
  return record("add", zip(u, v, [](real x, real y) { return x + y; }), {u, v},
                [](const Tensor& dy) {
                  return Gradients{dy, dy};
                });
}

// y = a - b, da = dy, db = -dy
Tensor subtract(const Tensor& a, const Tensor& b) {
  const Shape shape = common_shape("subtract", a.shape(), b.shape());
  const Tensor u = broadcast_to(a, shape), v = broadcast_to(b, shape);
  return record("subtract", zip(u, v, [](real x, real y) { return x - y; }), {u, v},
                [](const Tensor& dy) {
                  return Gradients{dy, map(dy, [](real d) { return -d; })};
                });
}

// y = a b, da = dy b, db = dy a
Tensor multiply(const Tensor& a, const Tensor& b) {
  const Shape shape = common_shape("multiply", a.shape(), b.shape());
  const Tensor u = broadcast_to(a, shape), v = broadcast_to(b, shape);
  return record("multiply", zip(u, v, product), {u, v},
                [u = u.detach(), v = v.detach()](const Tensor& dy) {
                  return Gradients{zip(dy, v, product), zip(dy, u, product)};
                });
}

// y = a / b, da = dy / b, db = -dy y / b
Tensor divide(const Tensor& a, const Tensor& b) {
  const Shape shape = common_shape("divide", a.shape(), b.shape());
  const Tensor u = broadcast_to(a, shape), v = broadcast_to(b, shape);
  const auto quotient = [](real x, real y) { return x / y; };
  Tensor y = zip(u, v, quotient);
  return record("divide", y, {u, v}, [v = v.detach(), y = y.detach(), quotient](const Tensor& dy) {
    const Tensor du = zip(dy, v, quotient);
    return Gradients{du, zip(du, y, [](real d, real q) { return -d * q; })};
  });
}

// y = factor x, dx = factor dy
Tensor scale(const Tensor& x, real factor) {
  const auto times = [factor](real v) { return factor * v; };
  return record("scale", map(x, times), {x},
                [times](const Tensor& dy) { return Gradients{map(dy, times)}; });
}

// y = x + term, dx = dy
Tensor add_scalar(const Tensor& x, real term) {
  return record("add_scalar", map(x, [term](real v) { return v + term; }), {x},
                [](const Tensor& dy) { return Gradients{dy}; });
}

Tensor negate(const Tensor& x) {
  return scale(x, -1);
}

// y = eˣ, dx = dy y
Tensor exp(const Tensor& x) {
  Tensor y = map(x, [](real v) { return std::exp(v); });
  return record("exp", y, {x},
                [y = y.detach()](const Tensor& dy) { return Gradients{zip(dy, y, product)}; });
}

// y = ln x, dx = dy / x
Tensor log(const Tensor& x) {
  return record("log", map(x, [](real v) { return std::log(v); }), {x},
                [x = x.detach()](const Tensor& dy) {
                  return Gradients{zip(dy, x, [](real d, real v) { return d / v; })};
                });
}

// y = √x, dx = dy / (2 y)
Tensor sqrt(const Tensor& x) {
  Tensor y = map(x, [](real v) { return std::sqrt(v); });
  return record("sqrt", y, {x}, [y = y.detach()](const Tensor& dy) {
    return Gradients{zip(dy, y, [](real d, real v) { return d / (2 * v); })};
  });
}

// y = x², dx = 2 x dy
Tensor square(const Tensor& x) {
  return record("square", map(x, [](real v) { return v * v; }), {x},
                [x = x.detach()](const Tensor& dy) {
                  return Gradients{zip(dy, x, [](real d, real v) { return 2 * d * v; })};
                });
}

}  // namespace terse
