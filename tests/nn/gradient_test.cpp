// Whole models against finite differences in double, with respect to their inputs and parameters.
#include <gtest/gtest.h>

#include <functional>
#include <vector>

#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"
#include "tersegrad/nn/layers.hpp"
#include "tersegrad/nn/models.hpp"
#include "tersegrad/nn/resnet.hpp"

namespace terse::nn {
namespace {

// Checks the gradient with respect to some elements of every parameter by finite differences.
void expect_parameter_gradients(Module& model, const std::function<Tensor()>& loss) {
  loss().backward();
  for (const auto& [name, tensor] : parameters(model)) {
    Tensor parameter = tensor;
    const Tensor gradient = parameter.grad();
    ASSERT_TRUE(gradient.defined()) << name;
    for (const std::size_t i : {std::size_t{0}, gradient.data().size() / 2}) {
      auto& value = parameter.data_mut()[i];
      const double centre = value, step = 1e-5;
      value = centre + step;
      const double up = loss().item();
      value = centre - step;
      const double down = loss().item();
      value = centre;
      EXPECT_NEAR(gradient.data()[i], (up - down) / (2 * step), 1e-6) << name << "[" << i << "]";
    }
  }
}
void expect_parameter_gradients(Layer& model, const Tensor& x) {
  const std::vector<std::int32_t> labels(static_cast<std::size_t>(x.dim(0)), 1);
  expect_parameter_gradients(model, [&] { return cross_entropy(model(x), labels); });
}

TEST(ModelGradient, Lenet) {
  Init init(5);
  const auto model =
      make_model("lenet", {.channels = 1, .height = 16, .width = 16, .classes = 3}, init);
  expect_parameter_gradients(*model, random_tensor({2, 1, 16, 16}, 1));
}

TEST(ModelGradient, ResidualNetworkInTrainingAndEvaluation) {
  Init init(7);
  Resnet model({.channels = 2, .classes = 3, .widths = {3, 4}, .blocks = 1}, init);
  const Tensor x = random_tensor({3, 2, 6, 6}, 1);
  expect_parameter_gradients(model, x);
  model.eval();
  for (auto& [name, tensor] : parameters(model)) Tensor(tensor).zero_grad();
  expect_parameter_gradients(model, x);
}

// Covers gradients through time, layers, initial states and tied weights.
TEST(ModelGradient, LanguageModel) {
  for (const bool tied : {true, false}) {
    Init init(8);
    LanguageModel model({.vocabulary = 7,
                         .embedding = tied ? 5 : 4,
                         .hidden = 5,
                         .layers = 2,
                         .dropout = 0,
                         .tied = tied},
                        init);
    const std::vector<std::int32_t> ids{0, 3, 3, 6, 1, 0}, labels{3, 2, 6, 1, 0, 5};
    const LstmStates before{{random_tensor({2, 5}, 1), random_tensor({2, 5}, 2)},
                            {random_tensor({2, 5}, 3), random_tensor({2, 5}, 4)}};
    expect_parameter_gradients(model, [&] {
      LstmStates states = before;
      return model.loss({.time = 3, .batch = 2, .ids = ids, .labels = labels}, states);
    });
  }
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
