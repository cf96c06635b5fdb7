#include "tersegrad/core/kernels/conv/conv2d.hpp"

#include <array>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/elementwise.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

kernels::ConvShape conv_shape(const Tensor& x, const Tensor& w, const Tensor& b,
                              const ConvOptions& options) {
  const std::int64_t groups = options.groups;
  check(groups >= 1, "conv2d: groups must be at least 1; got {}", groups);
  check(x.rank() == 4 && w.rank() == 4 && x.dim(1) == w.dim(1) * groups,
        "conv2d: expected x (N, C, H, W) and w (K, C / groups, R, S); got {} and {}, groups {}",
        x.shape().to_string(), w.shape().to_string(), groups);
  check(w.dim(0) % groups == 0,
        "conv2d: the output channels must be a multiple of the groups; got w {}, groups {}",
        w.shape().to_string(), groups);
  check(!b.defined() || b.shape() == Shape{w.dim(0)},
        "conv2d: the bias must be ({}) for w {}; got {}", w.dim(0), w.shape().to_string(),
        b.defined() ? b.shape().to_string() : "");
  check(options.stride >= 1 && options.padding >= 0,
        "conv2d: expected a stride of at least 1 and a padding of at least 0; got {} and {}",
        options.stride, options.padding);
  const kernels::ConvShape shape{.n = x.dim(0),
                                 .c = x.dim(1),
                                 .h = x.dim(2),
                                 .w = x.dim(3),
                                 .k = w.dim(0),
                                 .r = w.dim(2),
                                 .s = w.dim(3),
                                 .stride = options.stride,
                                 .padding = options.padding,
                                 .groups = groups};
  check(shape.r >= 1 && shape.s >= 1 && shape.h + 2 * shape.padding >= shape.r &&
            shape.w + 2 * shape.padding >= shape.s,
        "conv2d: the kernel must fit the padded image; got x {}, w {}, padding {}",
        x.shape().to_string(), w.shape().to_string(), shape.padding);
  return shape;
}

// sum = dw + beta · sum, beta 0 or 1. If beta is 0 the kernel writes dw to `sum` directly.
void add_weight_gradient(const kernels::ConvShape& shape, const Tensor& x, const Tensor& dy,
                         real beta, std::span<real> sum) {
  if (beta == 0) {
    kernels::conv2d_weight_gradient(shape, x.data(), dy.data(), sum);
    return;
  }
  Buffer<real> dw(std::ssize(sum));
  kernels::conv2d_weight_gradient(shape, x.data(), dy.data(), dw.span());
  kernels::add(sum, dw.span(), sum);
}

}  // namespace

// y = x ⋆ w + b. core/kernels/conv/reference.cpp has the sums for y, dx and dw.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b, ConvOptions options) {
  const auto shape = conv_shape(x, w, b, options);
  Tensor y = Tensor::empty({shape.n, shape.k, shape.p(), shape.q()});
  kernels::conv2d_forward(shape, x.data(), w.data(),
                          b.defined() ? b.data() : std::span<const real>(), y.data_mut());
  const std::array<Tensor, 3> inputs{x, w, b};
  const bool with_bias = b.defined();
  return record("conv2d", y, std::span(inputs).first(with_bias ? 3 : 2),
                [shape, x = x.detach(), w = w.detach(), needs_dx = x.requires_grad(),
                 with_bias](const Tensor& dy) {
                  Tensor dx;
                  if (needs_dx) {
                    dx = Tensor::empty(x.shape());
                    kernels::conv2d_data_gradient(shape, dy.data(), w.data(), dx.data_mut());
                  }
                  const Gradient dw(w.shape(), [shape, x, dy](real beta, std::span<real> sum) {
                    add_weight_gradient(shape, x, dy, beta, sum);
                  });
                  if (!with_bias) return Gradients{dx, dw};
                  Tensor db = Tensor::empty({shape.k});
                  kernels::channel_sum(shape.n, shape.k, shape.p() * shape.q(), dy.data(),
                                       db.data_mut());
                  return Gradients{dx, dw, db};
                });
}

}  // namespace terse
