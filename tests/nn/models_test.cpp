#include "nn/models.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "core/allocator.hpp"
#include "core/error.hpp"
#include "core/ops.hpp"
#include "core/testing/check_gradient.hpp"
#include "optim/optimizer.hpp"

namespace terse::nn {
namespace {

constexpr ImageTask kGrey28{.channels = 1, .height = 28, .width = 28, .classes = 10};

std::vector<Shape> shapes(Module& model) {
  std::vector<Shape> list;
  for (const auto& [name, tensor] : parameters(model)) list.push_back(tensor.shape());
  return list;
}

TEST(Lenet, Has61706ParametersInTenTensors) {
  Init init(0);
  const auto model = make_model("lenet", kGrey28, init);
  EXPECT_EQ(count_parameters(*model), 61'706);
  EXPECT_EQ(shapes(*model), (std::vector<Shape>{{6, 1, 5, 5},
                                                {6},
                                                {16, 6, 5, 5},
                                                {16},
                                                {120, 400},
                                                {120},
                                                {84, 120},
                                                {84},
                                                {10, 84},
                                                {10}}));
  EXPECT_EQ((*model)(Tensor::zeros({3, 1, 28, 28})).shape(), (Shape{3, 10}));
}

TEST(Mlp, TakesItsOptions) {
  Init init(0);
  const auto model = make_model("mlp:hidden=64,layers=2", kGrey28, init);
  EXPECT_EQ(shapes(*model), (std::vector<Shape>{{64, 784}, {64}, {64, 64}, {64}, {10, 64}, {10}}));
  const auto linear = make_model("mlp:layers=0", kGrey28, init);
  EXPECT_EQ(count_parameters(*linear), 7850);
}

TEST(Models, EveryExampleOfTheRegistryTrains) {
  for (const auto& entry : model_registry()) {
    Init init(1);
    const auto model = make_model(entry.example, kGrey28, init);
    ParameterBuffer flat(parameters(*model));
    const auto rule = make_update_rule("sgd:momentum=0.9");
    const Tensor x = random_tensor({8, 1, 28, 28}, 1);
    const std::vector<std::int32_t> labels{0, 1, 2, 3, 4, 5, 6, 7};
    float first = 0, last = 0;
    std::size_t system_calls = 0;
    for (int step = 0; step < 60; ++step) {
      flat.zero_grad();
      const Tensor loss = cross_entropy((*model)(x), labels);
      loss.backward();
      rule->apply(flat.values(), flat.gradients(), 0.05F);
      last = loss.item();
      if (step == 0) {
        first = last;
        system_calls = memory_use().system_calls;
      }
    }
    EXPECT_LT(last, 0.5F * first) << entry.name;
    EXPECT_EQ(memory_use().system_calls, system_calls)
        << entry.name << ": a step after the first took memory from the system";
  }
}

TEST(Models, WrongSpecsSayWhatWouldBeRight) {
  Init init(0);
  EXPECT_THROW(make_model("lenett", kGrey28, init), UsageError);
  EXPECT_THROW(make_model("lenet:depth=3", kGrey28, init), UsageError);
  EXPECT_THROW(make_model("mlp:hidden=0", kGrey28, init), UsageError);
  EXPECT_THROW(make_model("lenet", {.channels = 1, .height = 8, .width = 8, .classes = 10}, init),
               UsageError);
}

TEST(Summary, ListsLayersAndTotal) {
  Init init(0);
  const auto model = make_model("lenet", kGrey28, init);
  const std::string text = summary(*model, {32, 1, 28, 28});
  EXPECT_NE(text.find("Conv2d(in=6, out=16, kernel=5"), std::string::npos);
  EXPECT_NE(text.find("61706 parameters in 10 tensors"), std::string::npos);
}

}  // namespace
}  // namespace terse::nn
