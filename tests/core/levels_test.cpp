// Every operator at every SIMD level of this CPU, with NaN and infinities among its inputs. At each
// level the same elements of the result and of the gradients are NaN, infinite and finite, and the
// finite ones agree.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"
#include "tests/core/each_level.hpp"

namespace terse {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct OperatorCase {
  std::string name;
  std::vector<Shape> shapes;  // of the inputs
  std::function<Tensor(std::span<const Tensor>)> run;
};

std::vector<OperatorCase> operator_cases() {
  using Inputs = std::span<const Tensor>;
  static const std::vector<std::int32_t> labels = {0, 36, 5, 7, 11};
  const auto batch_norm = [](Inputs x, bool relu) {
    BatchNormOptions options{
        .running_mean = Tensor::zeros({3}), .running_variance = Tensor::full({3}, 1), .relu = relu};
    if (relu) options.residual = x[3];
    return batch_norm2d(x[0], x[1], x[2], options);
  };
  return {
      {"add", {{5, 37}, {5, 37}}, [](Inputs x) { return x[0] + x[1]; }},
      {"multiply", {{5, 37}, {5, 37}}, [](Inputs x) { return x[0] * x[1]; }},
      {"divide", {{5, 37}, {5, 37}}, [](Inputs x) { return x[0] / x[1]; }},
      {"exp", {{5, 37}}, [](Inputs x) { return exp(x[0]); }},
      {"sqrt", {{5, 37}}, [](Inputs x) { return sqrt(x[0]); }},
      {"square", {{5, 37}}, [](Inputs x) { return square(x[0]); }},
      {"relu", {{5, 37}}, [](Inputs x) { return relu(x[0]); }},
      {"tanh", {{5, 37}}, [](Inputs x) { return tanh(x[0]); }},
      {"sigmoid", {{5, 37}}, [](Inputs x) { return sigmoid(x[0]); }},
      {"gelu", {{5, 37}}, [](Inputs x) { return gelu(x[0]); }},
      {"sum", {{5, 37}}, [](Inputs x) { return sum(x[0], 0); }},
      {"softmax", {{5, 37}}, [](Inputs x) { return softmax(x[0]); }},
      {"log_softmax", {{5, 37}}, [](Inputs x) { return log_softmax(x[0]); }},
      {"cross_entropy", {{5, 37}}, [](Inputs x) { return cross_entropy(x[0], labels); }},
      {"matmul", {{5, 37}, {37, 19}}, [](Inputs x) { return matmul(x[0], x[1]); }},
      {"linear", {{5, 37}, {19, 37}, {19}}, [](Inputs x) { return linear(x[0], x[1], x[2]); }},
      {"max_pool2d", {{2, 3, 9, 38}}, [](Inputs x) { return max_pool2d(x[0]); }},
      {"avg_pool2d", {{2, 3, 9, 38}}, [](Inputs x) { return avg_pool2d(x[0]); }},
      {"batch_norm2d", {{2, 3, 5, 7}, {3}, {3}}, [=](Inputs x) { return batch_norm(x, false); }},
      {"batch_norm2d with a residual and ReLU",
       {{2, 3, 5, 7}, {3}, {3}, {2, 3, 5, 7}},
       [=](Inputs x) { return batch_norm(x, true); }},
      {"layer_norm", {{5, 37}, {37}, {37}}, [](Inputs x) { return layer_norm(x[0], x[1], x[2]); }},
      {"conv2d, direct",
       {{2, 5, 9, 11}, {17, 5, 3, 3}, {17}},
       [](Inputs x) { return conv2d(x[0], x[1], x[2], {.stride = 2, .padding = 1}); }},
      {"conv2d, few channels",
       {{2, 1, 9, 11}, {6, 1, 5, 5}, {6}},
       [](Inputs x) { return conv2d(x[0], x[1], x[2], {.padding = 2}); }},
      {"conv2d, Winograd",
       {{2, 16, 9, 11}, {33, 16, 3, 3}, {33}},
       [](Inputs x) { return conv2d(x[0], x[1], x[2], {.padding = 1}); }},
      {"conv2d, depthwise",
       {{2, 5, 9, 11}, {5, 1, 3, 3}, {5}},
       [](Inputs x) { return conv2d(x[0], x[1], x[2], {.padding = 1, .groups = 5}); }},
      {"lstm",
       {{3, 5, 7}, {5, 19}, {5, 19}, {76, 7}, {76, 19}, {76}, {76}},
       [](Inputs x) {
         return lstm(x[0], x[1], x[2], {x[3], x[4], x[5], x[6]}).y;
       }},
  };
}

// The result and the gradients of all inputs, concatenated, where element `at` of input `input` is
// `value`.
std::vector<float> results(const OperatorCase& a, std::size_t input, std::int64_t at, float value) {
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < a.shapes.size(); ++i) {
    inputs.push_back(random_tensor(a.shapes[i], i + 1));
    if (i == input) inputs.back().data_mut()[static_cast<std::size_t>(at)] = value;
    inputs.back().set_requires_grad();
  }
  const Tensor y = a.run(inputs);
  y.backward(Tensor::full(y.shape(), 1));
  std::vector<float> all(y.data().begin(), y.data().end());
  for (const Tensor& x : inputs) {
    const Tensor gradient = x.grad();
    all.insert(all.end(), gradient.data().begin(), gradient.data().end());
  }
  return all;
}

// 'N', '+' and '-' for NaN and the two infinities, '.' for finite values.
std::string kinds(const std::vector<float>& values) {
  std::string text;
  for (const float v : values) {
    text += std::isnan(v) ? 'N' : v == kInfinity ? '+' : v == -kInfinity ? '-' : '.';
  }
  return text;
}

class OperatorAtEachLevel : public testing::TestWithParam<std::size_t> {};

TEST_P(OperatorAtEachLevel, HasTheSameNansAndInfinities) {
  const OperatorCase a = operator_cases()[GetParam()];
  SCOPED_TRACE(a.name);
  for (std::size_t input = 0; input < a.shapes.size(); ++input) {
    const std::int64_t n = a.shapes[input].numel();
    for (const std::int64_t at : {std::int64_t{0}, n / 2, n - 1}) {
      for (const float value : {kNan, kInfinity, -kInfinity}) {
        std::vector<float> first;
        at_each_level([&] {
          const auto values = results(a, input, at, value);
          if (first.empty()) first = values;
          EXPECT_EQ(kinds(values), kinds(first)) << value << " at " << at << " of input " << input;
        });
      }
    }
  }
}

TEST_P(OperatorAtEachLevel, KeepsANan) {
  const OperatorCase a = operator_cases()[GetParam()];
  SCOPED_TRACE(a.name);
  at_each_level([&] {
    const auto values = results(a, 0, a.shapes[0].numel() / 2, kNan);
    EXPECT_NE(kinds(values).find('N'), std::string::npos);
  });
}

TEST_P(OperatorAtEachLevel, AgreesOnFiniteValues) {
  const OperatorCase a = operator_cases()[GetParam()];
  SCOPED_TRACE(a.name);
  if (a.name == "sqrt") return;  // NaN for negative numbers; other tests compare it
  std::vector<float> first;
  at_each_level([&] {
    const auto values = results(a, 0, 0, 0.5F);
    if (first.empty()) first = values;
    ASSERT_EQ(values.size(), first.size());
    float largest = 0;
    for (const float v : first) largest = std::max(largest, std::abs(v));
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_NEAR(values[i], first[i], 2e-5F * largest) << i;
    }
  });
}

std::string case_name(const testing::TestParamInfo<std::size_t>& info) {
  std::string name = operator_cases()[info.param].name;
  std::erase_if(name, [](unsigned char c) { return std::isalnum(c) == 0; });
  return name;
}

INSTANTIATE_TEST_SUITE_P(Operators, OperatorAtEachLevel,
                         testing::Range(std::size_t{0}, operator_cases().size()), case_name);

}  // namespace
}  // namespace terse
