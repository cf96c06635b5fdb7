#include <array>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/batch_norm.hpp"
#include "tersegrad/core/kernels/layer_norm.hpp"
#include "tersegrad/core/ops.hpp"

namespace terse {
namespace {

kernels::ChannelShape channel_shape(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                                    const BatchNormOptions& options) {
  check(x.rank() == 4, "batch_norm2d: expected x (N, C, H, W); got {}", x.shape().to_string());
  const Shape channels{x.dim(1)};
  check(gamma.shape() == channels && beta.shape() == channels &&
            options.running_mean.shape() == channels &&
            options.running_variance.shape() == channels,
        "batch_norm2d: scale, shift and running statistics must be {} for x {}; got {}, {}, {} and "
        "{}",
        channels.to_string(), x.shape().to_string(), gamma.shape().to_string(),
        beta.shape().to_string(), options.running_mean.shape().to_string(),
        options.running_variance.shape().to_string());
  check(!options.residual.defined() || options.residual.shape() == x.shape(),
        "batch_norm2d: the residual must have the shape of x, {}; got {}", x.shape().to_string(),
        options.residual.defined() ? options.residual.shape().to_string() : "");
  const kernels::ChannelShape shape{.n = x.dim(0), .c = x.dim(1), .pixels = x.dim(2) * x.dim(3)};
  check(!options.training || shape.per_channel() > 1,
        "batch_norm2d: expected more than one value per channel in training; got x {}",
        x.shape().to_string());
  return shape;
}

// running = (1 - momentum) running + momentum · batch, with the unbiased variance, as in PyTorch.
void update_running(const BatchNormOptions& options, const kernels::ChannelShape& shape,
                    const Tensor& mean, const Tensor& variance) {
  const auto take = static_cast<real>(options.momentum);
  const auto count = static_cast<real>(shape.per_channel());
  Tensor running_mean = options.running_mean, running_variance = options.running_variance;
  for (std::size_t c = 0; c < mean.data().size(); ++c) {
    auto& m = running_mean.data_mut()[c];
    auto& v = running_variance.data_mut()[c];
    m += take * (mean.data()[c] - m);
    v += take * (variance.data()[c] * count / (count - 1) - v);
  }
}

std::span<const real> data_or_nothing(const Tensor& t) {
  return t.defined() ? t.data() : std::span<const real>();
}

}  // namespace

// y = relu?( gamma (x - mean) / sqrt(variance + eps) + beta + residual? ).
// The derivatives are above backward_at_level in core/kernels/batch_norm.cpp.
Tensor batch_norm2d(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                    const BatchNormOptions& options) {
  const auto shape = channel_shape(x, gamma, beta, options);
  const kernels::BatchNormForward in{.x = x.data(),
                                     .gamma = gamma.data(),
                                     .beta = beta.data(),
                                     .residual = data_or_nothing(options.residual),
                                     .relu = options.relu,
                                     .eps = options.eps};
  Tensor y = Tensor::empty(x.shape());
  Tensor mean, variance;
  if (options.training) {
    mean = Tensor::empty(gamma.shape());
    variance = Tensor::empty(gamma.shape());
    kernels::batch_norm_forward(shape, in, mean.data_mut(), variance.data_mut(), y.data_mut());
    update_running(options, shape, mean, variance);
  } else {
    mean = options.running_mean.clone();  // running statistics may change before backward
    variance = options.running_variance.clone();
    kernels::batch_norm_apply(shape, in, mean.data(), variance.data(), y.data_mut());
  }
  const std::array<Tensor, 4> inputs{x, gamma, beta, options.residual};
  const bool residual = options.residual.defined();
  return record(
      "batch_norm2d", y, std::span(inputs).first(residual ? 4 : 3),
      [shape, x = x.detach(), y = options.relu ? y.detach() : Tensor(), gamma = gamma.detach(),
       mean, variance, residual, eps = options.eps, training = options.training](const Tensor& dy) {
        Tensor dx = Tensor::empty(x.shape()), dgamma = Tensor::empty(gamma.shape()),
               dbeta = Tensor::empty(gamma.shape());
        // Without ReLU the gradient of the residual is dy itself.
        const bool masked = residual && y.defined();
        Tensor dresidual = masked ? Tensor::empty(x.shape()) : dy;
        kernels::batch_norm_backward(shape,
                                     {.dy = dy.data(),
                                      .x = x.data(),
                                      .gamma = gamma.data(),
                                      .mean = mean.data(),
                                      .variance = variance.data(),
                                      .y = data_or_nothing(y),
                                      .eps = eps,
                                      .batch_statistics = training},
                                     dx.data_mut(), dgamma.data_mut(), dbeta.data_mut(),
                                     masked ? dresidual.data_mut() : std::span<real>());
        Gradients gradients{dx, dgamma, dbeta};
        if (residual) gradients.push_back(dresidual);
        return gradients;
      });
}

// Normalises the last dimension. The derivatives are above backward_at_level in
// core/kernels/layer_norm.cpp.
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps) {
  check(x.rank() >= 1 && x.dim(x.rank() - 1) >= 1,
        "layer_norm: expected x (..., D) with D at least 1; got {}", x.shape().to_string());
  const std::int64_t d = x.dim(x.rank() - 1), rows = x.numel() / d;
  check(gamma.shape() == Shape{d} && beta.shape() == Shape{d},
        "layer_norm: scale and shift must be ({}) for x {}; got {} and {}", d,
        x.shape().to_string(), gamma.shape().to_string(), beta.shape().to_string());
  Tensor y = Tensor::empty(x.shape()), mean = Tensor::empty({rows}),
         inverse = Tensor::empty({rows});
  kernels::layer_norm_forward(rows, d, x.data(), gamma.data(), beta.data(), eps, mean.data_mut(),
                              inverse.data_mut(), y.data_mut());
  return record("layer_norm", y, {x, gamma, beta},
                [rows, d, x = x.detach(), gamma = gamma.detach(), mean, inverse](const Tensor& dy) {
                  Tensor dx = Tensor::empty(x.shape()), dgamma = Tensor::empty({d}),
                         dbeta = Tensor::empty({d});
                  kernels::layer_norm_backward(rows, d, dy.data(), x.data(), gamma.data(),
                                               mean.data(), inverse.data(), dx.data_mut(),
                                               dgamma.data_mut(), dbeta.data_mut());
                  return Gradients{dx, dgamma, dbeta};
                });
}

}  // namespace terse
