// The operators. Each is one function: it computes its result and records its backward beside it.
//
// Letters: N batch, C channels in, H W input, K channels out, R S kernel, P Q output, D features,
// T time, F hidden units, V vocabulary.
// Shapes that do not fit are an Error that names the operator and every shape.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/core/kernels/gemm.hpp"
#include "tersegrad/core/tensor.hpp"

namespace terse {

// ---- elementwise (core/ops/elementwise.cpp) -----------------------------------------------------
// Two operands are broadcast to one shape first, as in NumPy: aligned at the last dimension, sizes
// equal or 1.
Tensor add(const Tensor& a, const Tensor& b);
Tensor subtract(const Tensor& a, const Tensor& b);
Tensor multiply(const Tensor& a, const Tensor& b);
Tensor divide(const Tensor& a, const Tensor& b);
inline Tensor operator+(const Tensor& a, const Tensor& b) {
  return add(a, b);
}
inline Tensor operator-(const Tensor& a, const Tensor& b) {
  return subtract(a, b);
}
inline Tensor operator*(const Tensor& a, const Tensor& b) {
  return multiply(a, b);
}
inline Tensor operator/(const Tensor& a, const Tensor& b) {
  return divide(a, b);
}
Tensor scale(const Tensor& x, real factor);     // factor · x
Tensor add_scalar(const Tensor& x, real term);  // x + term
Tensor negate(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor square(const Tensor& x);

// ---- activations (core/ops/activation.cpp) ------------------------------------------------------
Tensor relu(const Tensor& x);  // derivative at 0: 0
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor gelu(const Tensor& x);  // x Φ(x), Φ the normal distribution function: the exact one

// ---- shapes (core/ops/shape.cpp) ----------------------------------------------------------------
Tensor broadcast_to(const Tensor& x, const Shape& shape);
Tensor reshape(const Tensor& x, const Shape& shape);                  // a view
Tensor flatten(const Tensor& x);                                      // (N, ...) -> (N, D), a view
Tensor slice(const Tensor& x, std::int64_t begin, std::int64_t end);  // of dimension 0, a view
Tensor concat(std::span<const Tensor> parts, int dim);

// ---- reductions (core/ops/reduce.cpp) -----------------------------------------------------------
// Of all elements: shape (). Of one dimension: it disappears.
Tensor sum(const Tensor& x);
Tensor sum(const Tensor& x, int dim);
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, int dim);
Tensor max(const Tensor& x, int dim);  // the first of equals gets the gradient

// ---- matrix products (core/ops/matmul.cpp) ------------------------------------------------------
using kernels::Transpose;
// (M, K) · (K, N) -> (M, N); each operand may be given transposed.
Tensor matmul(const Tensor& a, const Tensor& b, Transpose transpose_a = Transpose::no,
              Transpose transpose_b = Transpose::no);
// x (N, D), w (K, D), b (K) or undefined -> x wᵀ + b (N, K)
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b);

// ---- images (core/ops/conv2d.cpp, core/ops/pool2d.cpp) ------------------------------------------
struct ConvOptions {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t groups = 1;  // of channels, each convolved with its own; C of them: depthwise
};
// x (N, C, H, W), w (K, C / groups, R, S), b (K) or undefined -> (N, K, P, Q),
// P = (H + 2 padding - R) / stride + 1, rounded down.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b, ConvOptions options = {});

struct PoolOptions {
  std::int64_t kernel = 2;
  std::int64_t stride = 0;   // 0: as the kernel
  std::int64_t padding = 0;  // at most kernel / 2
};
// x (N, C, H, W) -> (N, C, P, Q). Padding is -infinity for max; for average it is zeros that count.
Tensor max_pool2d(const Tensor& x, PoolOptions options = {});
Tensor avg_pool2d(const Tensor& x, PoolOptions options = {});

Tensor global_avg_pool2d(const Tensor& x);  // (N, C, H, W) -> (N, C)

// ---- normalisation (core/ops/normalize.cpp) -----------------------------------------------------
struct BatchNormOptions {
  // (C) each. In training y is normalised with the statistics of this batch, and these are moved
  // towards them; in evaluation y is normalised with these.
  Tensor running_mean, running_variance;
  bool training = true;
  double momentum = 0.1;  // weight of the batch in a running statistic
  double eps = 1e-5;
  // What follows, in the same pass: y = relu?( normalised + residual? ).
  bool relu = false;
  Tensor residual = {};  // of the shape of x, or undefined
};
// x (N, C, H, W), gamma and beta (C) -> (N, C, H, W). Ioffe & Szegedy 2015, Algorithms 1 and 2.
Tensor batch_norm2d(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                    const BatchNormOptions& options);
// x (..., D), gamma and beta (D): each row to mean 0 and variance 1. Ba, Kiros & Hinton 2016.
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps = 1e-5);

// ---- sequences (core/ops/embedding.cpp, core/ops/lstm.cpp) --------------------------------------
// weight (V, D) and n ids in [0, V) -> its rows (n, D). The gradient is those rows, not (V, D).
Tensor embedding(const Tensor& weight, std::span<const std::int32_t> ids);

// Gates i, f, g, o, in this order: w_ih (4F, D), w_hh (4F, F); the biases (4F) may be undefined.
struct LstmWeights {
  Tensor w_ih, w_hh, b_ih, b_hh;
};
struct LstmState {
  Tensor h, c;  // (N, F); undefined: zeros
};
struct LstmResult {
  Tensor y;     // (T, N, F): h of every step
  Tensor h, c;  // (N, F): of the last step
};
// One layer over all steps of x (T, N, D), T at least 1: one node.
LstmResult lstm(const Tensor& x, const Tensor& h0, const Tensor& c0, const LstmWeights& weights);
// One step, x (N, D).
LstmState lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const LstmWeights& weights);

// ---- softmax and losses (core/ops/softmax.cpp) --------------------------------------------------
Tensor softmax(const Tensor& x);      // over the last dimension
Tensor log_softmax(const Tensor& x);  // over the last dimension
enum class Reduction { mean, sum };
// x (N, D) and one label in [0, D) a row -> -log softmax(x)[label], reduced to shape ().
Tensor cross_entropy(const Tensor& x, std::span<const std::int32_t> labels,
                     Reduction reduction = Reduction::mean);
// The same of linear(x, w, b), for many classes V: x (N, D), w (V, D), b (V) or undefined. At most
// one array (N, V) is held, and none without gradients.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& w, const Tensor& b,
                            std::span<const std::int32_t> labels,
                            Reduction reduction = Reduction::mean);

}  // namespace terse
