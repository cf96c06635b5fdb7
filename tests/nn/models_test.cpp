#include "tersegrad/nn/models.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tersegrad/core/allocator.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/core/testing/check_gradient.hpp"
#include "tersegrad/nn/resnet.hpp"
#include "tersegrad/optim/optimizer.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::nn {
namespace {

constexpr ImageTask kGrey28{.channels = 1, .height = 28, .width = 28, .classes = 10};
constexpr ImageTask kColour32{.channels = 3, .height = 32, .width = 32, .classes = 10};

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

// The parameters as compressors see them: names, rows and columns.
void expect_shapes(Module& model, const std::vector<MatrixShape>& expected) {
  const ParameterBuffer flat(parameters(model));
  ASSERT_EQ(flat.infos().size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(flat.infos()[i].name, expected[i].name);
    EXPECT_EQ(flat.infos()[i].rows, expected[i].rows) << expected[i].name;
    EXPECT_EQ(flat.infos()[i].cols, expected[i].cols) << expected[i].name;
    EXPECT_EQ(flat.infos()[i].kernel, expected[i].kernel) << expected[i].name;
  }
}

TEST(Resnet18, Has11173962ParametersIn62Tensors) {
  Init init(0);
  const auto model = make_model("resnet18", kColour32, init);
  EXPECT_EQ(count_parameters(*model), 11'173'962);
  EXPECT_EQ(parameters(*model).size(), 62U);
  expect_shapes(*model, resnet18_shapes());
}

TEST(Resnet20, HasTwentyLayersWithWeights) {
  Init init(0);
  const auto model = make_model("resnet20", kColour32, init);
  EXPECT_EQ(count_parameters(*model), 272'474);
  int layers = 0;
  for (const auto& [name, tensor] : parameters(*model)) {
    layers += tensor.rank() > 1 && name.find("shortcut") == std::string::npos;
  }
  EXPECT_EQ(layers, 20);
  EXPECT_EQ(buffers(*model).size(), 2U * 21);  // running statistics of 19 + 2 normalisations
  EXPECT_EQ((*model)(Tensor::zeros({2, 3, 32, 32})).shape(), (Shape{2, 10}));
  EXPECT_EQ((*model)(random_tensor({2, 3, 9, 11}, 1)).shape(), (Shape{2, 10}));
}

TEST(LanguageModel, InThePapersSizeHas28949319Parameters) {
  Init init(0);
  const auto model = make_language_model("lstm:layers=3,hidden=650,dropout=0.4", 28'869, init);
  EXPECT_EQ(count_parameters(*model), 28'949'319);
  expect_shapes(*model, lstm_shapes());
}

// Trains on one batch with `loss`: the loss halves, and no step after the first takes memory from
// the system.
void expect_trains(const std::string& name, Module& model, const std::function<Tensor()>& loss) {
  ParameterBuffer flat(parameters(model));
  const auto rule = make_update_rule("sgd:momentum=0.9+clip:norm=1");
  float first = 0, last = 0;
  std::size_t system_calls = 0;
  for (int step = 0; step < 60 && (step < 5 || last > 0.5F * first); ++step) {
    flat.zero_grad();
    const Tensor objective = loss();
    objective.backward();
    rule->apply(flat.values(), flat.gradients(), 0.05F);
    last = objective.item();
    if (step == 0) {
      first = last;
      system_calls = memory_use().system_calls;
    }
  }
  EXPECT_LE(last, 0.5F * first) << name;
  EXPECT_EQ(memory_use().system_calls, system_calls)
      << name << ": a step after the first took memory from the system";
}

TEST(Models, EveryExampleOfTheRegistryTrains) {
  const Tensor x = random_tensor({8, 1, 28, 28}, 1);
  const std::vector<std::int32_t> labels{0, 1, 2, 3, 4, 5, 6, 7};
  for (const auto& entry : model_registry()) {
    Init init(1);
    if (entry.kind == ModelKind::image) {
      const auto model = make_model(entry.example, kGrey28, init);
      expect_trains(std::string(entry.name), *model,
                    [&] { return cross_entropy((*model)(x), labels); });
    } else {
      const auto model = make_language_model(entry.example, 50, init);
      expect_trains(std::string(entry.name), *model, [&] {
        LstmStates states;
        return model->loss({.time = 4, .batch = 2, .ids = labels, .labels = labels}, states);
      });
    }
  }
}

TEST(Memory, IsFlatOverTenThousandSteps) {
  Init init(1);
  BasicBlock block(2, 3, 2, init);
  const auto text_model = make_language_model("lstm:layers=1,hidden=4", 5, init);
  ParameterBuffer block_parameters(parameters(block)), text_parameters(parameters(*text_model));
  const auto rule = make_update_rule("adam"), text_rule = make_update_rule("sgd:momentum=0.9");
  const Tensor x = random_tensor({2, 2, 4, 4}, 1);
  const std::vector<std::int32_t> ids{0, 1, 2, 3};
  LstmStates states;
  const auto step = [&] {
    block_parameters.zero_grad();
    sum(square(block(x))).backward();
    rule->apply(block_parameters.values(), block_parameters.gradients(), 1e-4F);
    text_parameters.zero_grad();
    text_model->loss({.time = 2, .batch = 2, .ids = ids, .labels = ids}, states).backward();
    text_rule->apply(text_parameters.values(), text_parameters.gradients(), 1e-3F);
  };
  step();
  step();  // creates the recurrent state
  const auto before = memory_use();
  for (int i = 0; i < 10'000; ++i) step();
  EXPECT_EQ(memory_use().live_bytes, before.live_bytes);
  EXPECT_EQ(memory_use().peak_bytes, before.peak_bytes);
  EXPECT_EQ(memory_use().system_calls, before.system_calls);
}

// A text that is read in two pieces with the state carried over gives the same loss as in one
// piece.
TEST(LanguageModel, StateCarriesOver) {
  Init init(1);
  const auto model = make_language_model("lstm:layers=2,hidden=8", 9, init);
  model->eval();
  const std::vector<std::int32_t> ids{1, 2, 3, 4, 5, 6, 7, 8}, labels{3, 4, 5, 6, 7, 8, 0, 1};
  const auto loss = [&](std::size_t from, std::int64_t time, LstmStates& states) {
    const auto count = static_cast<std::size_t>(2 * time);
    return model
        ->loss({.time = time,
                .batch = 2,
                .ids = std::span(ids).subspan(from, count),
                .labels = std::span(labels).subspan(from, count)},
               states, Reduction::sum)
        .item();
  };
  LstmStates whole, carried, none;
  const float at_once = loss(0, 4, whole);
  const float first = loss(0, 1, carried);
  EXPECT_NEAR(first + loss(2, 3, carried), at_once, 1e-4F);
  EXPECT_GT(std::abs(first + loss(2, 3, none) - at_once), 1e-3F);
}

TEST(Models, WrongSpecsSayWhatWouldBeRight) {
  Init init(0);
  EXPECT_THROW(make_model("lstm", kGrey28, init), UsageError);
  EXPECT_THROW(make_language_model("lenet", 10, init), UsageError);
  EXPECT_THROW(make_language_model("lstm:hidden=8,embedding=4,tied", 10, init), UsageError);
  EXPECT_NO_THROW(make_language_model("lstm:hidden=8,embedding=4", 10, init));
  EXPECT_THROW(make_language_model("lstm:layers=0", 10, init), UsageError);
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
  EXPECT_NE(text.find("Conv2d(6, 16, 5x5)"), std::string::npos);
  EXPECT_NE(text.find("32x6x28x28"), std::string::npos);
  EXPECT_NE(text.find("61706 parameters in 10 tensors"), std::string::npos);
}

}  // namespace
}  // namespace terse::nn
