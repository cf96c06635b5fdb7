// The layers. Options are aggregates for designated initialisers. Defaults and initial values are
// PyTorch's: weights and biases of Linear and Conv2d are uniform in ±1/sqrt(fan_in).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tersegrad/core/ops.hpp"
#include "tersegrad/nn/module.hpp"

namespace terse::nn {

struct LinearOptions {
  std::int64_t in, out;
  bool bias = true;
};
// x (N, in) -> x weightᵀ + bias (N, out)
class Linear final : public Layer {
 public:
  Linear(const LinearOptions& options, Init& init);
  Tensor forward(const Tensor& x) override { return linear(x, weight, bias.tensor()); }
  void visit(Visitor& visitor) override;
  std::string describe() const override;

  Parameter weight;  // (out, in)
  Parameter bias;    // (out)
};

struct Conv2dOptions {
  std::int64_t in, out, kernel;
  std::int64_t stride = 1, padding = 0, groups = 1;
  bool bias = true;
};
// x (N, in, H, W) -> (N, out, P, Q)
class Conv2d final : public Layer {
 public:
  Conv2d(const Conv2dOptions& options, Init& init);
  Tensor forward(const Tensor& x) override {
    return conv2d(x, weight, bias.tensor(), {options_.stride, options_.padding, options_.groups});
  }
  void visit(Visitor& visitor) override;
  std::string describe() const override;
  const Conv2dOptions& options() const { return options_; }

  Parameter weight;  // (out, in / groups, kernel, kernel)
  Parameter bias;    // (out)

 private:
  Conv2dOptions options_;
};

// x (N, C, H, W) -> (N, C, P, Q)
class MaxPool2d final : public Layer {
 public:
  explicit MaxPool2d(const PoolOptions& options) : options_(options) {}
  Tensor forward(const Tensor& x) override { return max_pool2d(x, options_); }
  std::string describe() const override;
  const PoolOptions& options() const { return options_; }

 private:
  PoolOptions options_;
};

// x (N, C, H, W) -> (N, C, P, Q)
class AvgPool2d final : public Layer {
 public:
  explicit AvgPool2d(const PoolOptions& options) : options_(options) {}
  Tensor forward(const Tensor& x) override { return avg_pool2d(x, options_); }
  std::string describe() const override;
  const PoolOptions& options() const { return options_; }

 private:
  PoolOptions options_;
};

// (N, C, H, W) -> (N, C)
class GlobalAvgPool2d final : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return global_avg_pool2d(x); }
  std::string describe() const override { return "GlobalAvgPool2d"; }
};

struct BatchNorm2dOptions {
  std::int64_t channels;
  double momentum = 0.1, eps = 1e-5;
};
// x (N, C, H, W) -> (N, C, H, W): every channel is normalised to mean 0 and variance 1, scaled
// by weight and shifted by bias. Training uses the statistics of the batch, evaluation the
// running statistics.
class BatchNorm2d final : public Layer {
 public:
  BatchNorm2d(const BatchNorm2dOptions& options, Init& init);
  Tensor forward(const Tensor& x) override { return normalise(x, false, {}); }
  // The layer followed by ReLU, or by the addition of a shortcut and ReLU, in one pass over memory.
  Tensor relu(const Tensor& x) { return output(normalise(x, true, {})); }
  Tensor add_relu(const Tensor& x, const Tensor& residual) {
    return output(normalise(x, true, residual));
  }
  void visit(Visitor& visitor) override;
  std::string describe() const override;
  const BatchNorm2dOptions& options() const { return options_; }

  Parameter weight, bias;                 // (C): initially 1 and 0
  Tensor running_mean, running_variance;  // (C): initially 0 and 1

 private:
  Tensor normalise(const Tensor& x, bool relu, const Tensor& residual);
  BatchNorm2dOptions options_;
};

struct LayerNormOptions {
  std::int64_t features;
  double eps = 1e-5;
};
// x (..., features) -> same shape: every row is normalised to mean 0 and variance 1, scaled by
// weight and shifted by bias.
class LayerNorm final : public Layer {
 public:
  LayerNorm(const LayerNormOptions& options, Init& init);
  Tensor forward(const Tensor& x) override { return layer_norm(x, weight, bias, options_.eps); }
  void visit(Visitor& visitor) override;
  std::string describe() const override;

  Parameter weight, bias;  // (features): initially 1 and 0

 private:
  LayerNormOptions options_;
};

class ReLU final : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return relu(x); }
  std::string describe() const override { return "ReLU"; }
};

class Gelu final : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return gelu(x); }
  std::string describe() const override { return "Gelu"; }
};

class Tanh final : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return tanh(x); }
  std::string describe() const override { return "Tanh"; }
};

class Sigmoid final : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return sigmoid(x); }
  std::string describe() const override { return "Sigmoid"; }
};

// (N, ...) -> (N, D)
class Flatten final : public Layer {
 public:
  Tensor forward(const Tensor& x) override { return flatten(x); }
  std::string describe() const override { return "Flatten"; }
};

// In training, sets each element to zero with probability p and divides the others by 1 - p. In
// evaluation, returns x.
class Dropout final : public Layer {
 public:
  // Throws Error unless p is in [0, 1).
  explicit Dropout(double p);
  Tensor forward(const Tensor& x) override;
  std::string describe() const override;
  // Selects the random numbers of (seed, worker, number) and restarts them at the first
  // forward pass.
  void seed(std::uint64_t seed, std::uint32_t worker, std::uint32_t number);
  void serialize_own(Archive& archive) override;  // the number of forward passes

 private:
  double p_;
  std::uint64_t seed_ = 0;
  std::uint32_t worker_ = 0, number_ = 0;
  std::uint32_t calls_ = 0;
};

// Applies its parts in order. It owns them.
class Sequential final : public Layer {
 public:
  Sequential() = default;
  template <class Part, class... Args>
  Sequential& add(Args&&... args) {
    parts_.push_back(std::make_unique<Part>(std::forward<Args>(args)...));
    return *this;
  }
  Tensor forward(const Tensor& x) override;
  void visit(Visitor& visitor) override;
  std::string describe() const override { return "Sequential"; }

 private:
  std::vector<std::unique_ptr<Layer>> parts_;
};

}  // namespace terse::nn
