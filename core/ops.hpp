// The operators. Each is one function that computes its result and records its backward closure.
//
// Letters in shapes: N batch, C input channels, H W input height and width, K output channels, R S
// kernel height and width, P Q output height and width, D features, T time steps, F hidden units,
// V vocabulary.
//
// Shapes that do not fit throw an Error that names the operator and every shape.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/core/kernels/gemm.hpp"
#include "tersegrad/core/tensor.hpp"

namespace terse {

// Operands of different shapes are broadcast as in NumPy: dimensions are aligned at the last one,
// and their sizes must be equal or 1.
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
Tensor relu(const Tensor& x);  // the derivative at 0 is 0
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor gelu(const Tensor& x);  // exact: x Φ(x), Φ the standard normal CDF

// ---- shapes (core/ops/shape.cpp) ----------------------------------------------------------------
Tensor broadcast_to(const Tensor& x, const Shape& shape);
// reshape throws Error unless the numbers of elements are equal. Views share storage with x.
Tensor reshape(const Tensor& x, const Shape& shape);                  // a view
Tensor flatten(const Tensor& x);                                      // (N, ...) -> (N, D), a view
Tensor slice(const Tensor& x, std::int64_t begin, std::int64_t end);  // of dimension 0, a view
// Joins at least one tensor along dimension `dim`; all other sizes must be equal.
Tensor concat(std::span<const Tensor> parts, int dim);

// ---- reductions (core/ops/reduce.cpp) -----------------------------------------------------------
// Without `dim` all elements are reduced, to shape (). With `dim` that dimension is removed.
Tensor sum(const Tensor& x);
Tensor sum(const Tensor& x, int dim);
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, int dim);
Tensor max(const Tensor& x, int dim);  // of equal elements the first gets the gradient

// ---- matrix products (core/ops/matmul.cpp) ------------------------------------------------------
using kernels::Transpose;
// (M, K) · (K, N) -> (M, N). An operand with Transpose::yes is given as its transpose.
Tensor matmul(const Tensor& a, const Tensor& b, Transpose transpose_a = Transpose::no,
              Transpose transpose_b = Transpose::no);
// x (N, D), w (K, D), b (K) or undefined -> x wᵀ + b (N, K)
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b);

// ---- images (core/ops/conv2d.cpp, core/ops/pool2d.cpp) ------------------------------------------
struct ConvOptions {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t groups = 1;  // of channels; groups = C: depthwise
};
// x (N, C, H, W), w (K, C / groups, R, S), b (K) or undefined -> (N, K, P, Q),
// P = floor((H + 2 padding - R) / stride) + 1, Q likewise.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b, ConvOptions options = {});

struct PoolOptions {
  std::int64_t kernel = 2;
  std::int64_t stride = 0;   // 0: equal to kernel
  std::int64_t padding = 0;  // at most kernel / 2
};
// x (N, C, H, W) -> (N, C, P, Q). The padding is -infinity for max. For average it is zeros, and
// the divisor is always kernel². kernel must be in [1, 15].
Tensor max_pool2d(const Tensor& x, PoolOptions options = {});
Tensor avg_pool2d(const Tensor& x, PoolOptions options = {});

Tensor global_avg_pool2d(const Tensor& x);  // (N, C, H, W) -> (N, C)

// ---- normalisation (core/ops/normalize.cpp) -----------------------------------------------------
struct BatchNormOptions {
  // (C) each. With `training`, the statistics of the batch normalise y, and the running statistics
  // move towards them; otherwise the running statistics normalise y.
  Tensor running_mean, running_variance;
  bool training = true;
  double momentum = 0.1;  // weight of the batch in the running statistics
  double eps = 1e-5;
  // Operations fused into the same pass over memory: y = relu?( normalised + residual? ).
  bool relu = false;
  Tensor residual = {};  // same shape as x, or undefined
};
// x (N, C, H, W), gamma and beta (C) -> (N, C, H, W). Ioffe & Szegedy 2015, Algorithms 1 and 2.
Tensor batch_norm2d(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                    const BatchNormOptions& options);
// x (..., D), gamma and beta (D) -> (..., D): every row is normalised to mean 0 and variance 1,
// scaled by gamma and shifted by beta. Ba, Kiros & Hinton 2016.
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double eps = 1e-5);

// weight (V, D) and n ids in [0, V) -> rows ids[i] of weight, (n, D). The gradient of weight holds
// only these rows, not (V, D).
Tensor embedding(const Tensor& weight, std::span<const std::int32_t> ids);

// Gates are in the order i, f, g, o: w_ih (4F, D), w_hh (4F, F). The biases (4F) may be undefined.
struct LstmWeights {
  Tensor w_ih, w_hh, b_ih, b_hh;
};
struct LstmState {
  Tensor h, c;  // (N, F); undefined: zeros
};
struct LstmResult {
  Tensor y;     // (T, N, F): h of every step
  Tensor h, c;  // (N, F): state after the last step
};
// One LSTM layer over all steps of x (T, N, D), T >= 1, recorded as one node. The equations are in
// core/kernels/lstm.hpp.
LstmResult lstm(const Tensor& x, const Tensor& h0, const Tensor& c0, const LstmWeights& weights);
// One step of one layer, x (N, D).
LstmState lstm_cell(const Tensor& x, const Tensor& h, const Tensor& c, const LstmWeights& weights);

// ---- softmax and losses (core/ops/softmax.cpp) --------------------------------------------------
Tensor softmax(const Tensor& x);      // over the last dimension
Tensor log_softmax(const Tensor& x);  // over the last dimension
enum class Reduction { mean, sum };
// x (N, D) and N labels in [0, D) -> shape (): the mean or the sum over rows of
// -log softmax(x)[label].
Tensor cross_entropy(const Tensor& x, std::span<const std::int32_t> labels,
                     Reduction reduction = Reduction::mean);
// cross_entropy(linear(x, w, b), labels) for many classes V: x (N, D), w (V, D), b (V) or
// undefined. Stores one array of N V values if gradients are needed, and none otherwise.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& w, const Tensor& b,
                            std::span<const std::int32_t> labels,
                            Reduction reduction = Reduction::mean);

}  // namespace terse
