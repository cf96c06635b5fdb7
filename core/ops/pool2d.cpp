#include "tersegrad/core/kernels/pool2d.hpp"

#include <memory>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

kernels::PoolShape pool_shape(const char* op, const Tensor& x, const PoolOptions& options) {
  check(x.rank() == 4, "{}: expected x (N, C, H, W); got {}", op, x.shape().to_string());
  const kernels::PoolShape shape{.planes = x.dim(0) * x.dim(1),
                                 .h = x.dim(2),
                                 .w = x.dim(3),
                                 .kernel = options.kernel,
                                 .stride = options.stride == 0 ? options.kernel : options.stride,
                                 .padding = options.padding};
  check(
      shape.kernel >= 1 && shape.kernel <= 15 && shape.stride >= 1 && shape.padding >= 0 &&
          2 * shape.padding <= shape.kernel,
      "{}: expected a kernel from 1 to 15, a stride of at least 1 and a padding from 0 to half the "
      "kernel; got {}, {} and {}",
      op, shape.kernel, shape.stride, shape.padding);
  check(shape.h >= 1 && shape.w >= 1, "{}: expected images of at least 1x1 pixels; got x {}", op,
        x.shape().to_string());
  check(shape.h + 2 * shape.padding >= shape.kernel && shape.w + 2 * shape.padding >= shape.kernel,
        "{}: the kernel {} must fit the padded image; got x {}, padding {}", op, shape.kernel,
        x.shape().to_string(), shape.padding);
  return shape;
}

Tensor empty_result(const Tensor& x, const kernels::PoolShape& shape) {
  return Tensor::empty({x.dim(0), x.dim(1), shape.p(), shape.q()});
}

}  // namespace

// y[p, q] = max over the window; dx += dy at the maximum of each window.
Tensor max_pool2d(const Tensor& x, PoolOptions options) {
  const auto shape = pool_shape("max_pool2d", x, options);
  Tensor y = empty_result(x, shape);
  auto where = std::make_shared<Buffer<kernels::WindowPlace>>(y.numel());
  kernels::max_pool2d_forward(shape, x.data(), y.data_mut(), where->span());
  return record("max_pool2d", y, {x}, [shape, where, from = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::empty(from);
    kernels::max_pool2d_backward(shape, dy.data(), where->span(), dx.data_mut());
    return Gradients{dx};
  });
}

// y[p, q] = (sum over the window) / kernel²; dx += dy / kernel² at every pixel of the window.
Tensor avg_pool2d(const Tensor& x, PoolOptions options) {
  const auto shape = pool_shape("avg_pool2d", x, options);
  Tensor y = empty_result(x, shape);
  kernels::avg_pool2d_forward(shape, x.data(), y.data_mut());
  return record("avg_pool2d", y, {x}, [shape, from = x.shape()](const Tensor& dy) {
    Tensor dx = Tensor::empty(from);
    kernels::avg_pool2d_backward(shape, dy.data(), dx.data_mut());
    return Gradients{dx};
  });
}

// y = mean over H and W; dx = dy / (H W) at every pixel.
Tensor global_avg_pool2d(const Tensor& x) {
  check(x.rank() == 4 && x.dim(2) * x.dim(3) > 0,
        "global_avg_pool2d: expected x (N, C, H, W) with H and W at least 1; got {}",
        x.shape().to_string());
  return mean(reshape(x, {x.dim(0), x.dim(1), x.dim(2) * x.dim(3)}), 2);
}

}  // namespace terse
