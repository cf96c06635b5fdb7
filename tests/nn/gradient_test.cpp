// Whole models against finite differences in double: with respect to their input and parameters.
#include <gtest/gtest.h>

#include <vector>

#include "core/ops.hpp"
#include "core/testing/check_gradient.hpp"
#include "nn/layers.hpp"
#include "nn/models.hpp"

namespace terse::nn {
namespace {

// The gradient with respect to the first parameter and a bias, by moving the parameter itself.
void expect_parameter_gradients(Module& model, const Tensor& x) {
  const std::vector<std::int32_t> labels(static_cast<std::size_t>(x.dim(0)), 1);
  cross_entropy(model(x), labels).backward();
  for (const auto& [name, tensor] : parameters(model)) {
    Tensor parameter = tensor;
    const Tensor gradient = parameter.grad();
    ASSERT_TRUE(gradient.defined()) << name;
    for (const std::size_t i : {std::size_t{0}, gradient.data().size() / 2}) {
      auto& value = parameter.data_mut()[i];
      const double centre = value, step = 1e-5;
      value = centre + step;
      const double up = cross_entropy(model(x), labels).item();
      value = centre - step;
      const double down = cross_entropy(model(x), labels).item();
      value = centre;
      EXPECT_NEAR(gradient.data()[i], (up - down) / (2 * step), 1e-6) << name << "[" << i << "]";
    }
  }
}

TEST(ModelGradient, Lenet) {
  Init init(5);
  const auto model =
      make_model("lenet", {.channels = 1, .height = 16, .width = 16, .classes = 3}, init);
  expect_parameter_gradients(*model, random_tensor({2, 1, 16, 16}, 1));
}

TEST(ModelGradient, MlpWithDropoutOff) {
  Init init(6);
  Sequential model;
  model.add<Flatten>()
      .add<Linear>(LinearOptions{.in = 6, .out = 5}, init)
      .add<Tanh>()
      .add<Dropout>(0.5)
      .add<Linear>(LinearOptions{.in = 5, .out = 4}, init)
      .add<Sigmoid>()
      .add<Linear>(LinearOptions{.in = 4, .out = 3}, init);
  model.eval();
  expect_parameter_gradients(model, random_tensor({3, 2, 3}, 1));
  check_gradient([&](std::span<const Tensor> in) { return model(in[0]); },
                 {random_tensor({3, 2, 3}, 2)});
}

}  // namespace
}  // namespace terse::nn
