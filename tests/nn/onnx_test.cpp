// ONNX files have the nodes and values of the model. tests/onnx compares the results of running
// them.
#include "tersegrad/nn/onnx.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/nn/layers.hpp"
#include "tests/core/protobuf_reader.hpp"
#include "tests/data/files.hpp"

namespace terse::nn {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr ImageTask kGrey{.channels = 1, .height = 28, .width = 28, .classes = 10};

struct Node {
  std::string name, op;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, std::vector<std::int64_t>> integers;
  std::map<std::string, float> numbers;
};

struct Initializer {
  std::vector<std::int64_t> shape;
  std::int64_t type = 0;
  std::string data;
  std::vector<float> floats() const {
    std::vector<float> values(data.size() / sizeof(float));
    std::memcpy(values.data(), data.data(), data.size());
    return values;
  }
};

// "name type(dimensions)"
std::string value_text(const ProtobufReader& value) {
  const auto type = value.message(2).message(1);
  std::string text;
  for (const auto& dimension : type.message(2).messages(1)) {
    text += text.empty() ? "" : ", ";
    text += dimension.texts(2).empty() ? std::to_string(dimension.integer(1)) : dimension.text(2);
  }
  return fmt::format("{} {}({})", value.text(1), type.integer(1), text);
}

// The graph of a model. Checks that its names are unique and that a value exists before it is used.
struct Graph {
  std::vector<Node> nodes;
  std::map<std::string, Initializer> initializers;
  std::vector<std::string> inputs, outputs;  // "name type(dimensions)"

  explicit Graph(const std::filesystem::path& file) {
    const auto bytes = read_file(file);
    const ProtobufReader model({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    EXPECT_EQ(model.integer(1), 7);
    EXPECT_EQ(model.message(8).text(1), "");
    EXPECT_EQ(model.message(8).integer(2), 13);
    const auto graph = model.message(7);
    std::set<std::string> values = {""}, names;
    for (const auto& tensor : graph.messages(5)) {
      initializers[tensor.text(8)] = {tensor.integers(1), tensor.integer(2), tensor.text(9)};
      EXPECT_TRUE(values.insert(tensor.text(8)).second) << tensor.text(8);
    }
    for (const auto& input : graph.messages(11)) {
      inputs.push_back(value_text(input));
      EXPECT_TRUE(values.insert(input.text(1)).second) << input.text(1);
    }
    for (const auto& message : graph.messages(1)) {
      Node node{message.text(3), message.text(4), message.texts(1), message.texts(2), {}, {}};
      for (const auto& attribute : message.messages(5)) {
        const auto type = attribute.integer(20);
        if (type == 1) node.numbers[attribute.text(1)] = attribute.floats(2).at(0);
        if (type == 2) node.integers[attribute.text(1)] = attribute.integers(3);
        if (type == 7) node.integers[attribute.text(1)] = attribute.integers(8);
      }
      EXPECT_TRUE(names.insert(node.name).second) << node.name;
      for (const auto& input : node.inputs) EXPECT_TRUE(values.contains(input)) << input;
      for (const auto& output : node.outputs) EXPECT_TRUE(values.insert(output).second) << output;
      nodes.push_back(std::move(node));
    }
    for (const auto& output : graph.messages(12)) {
      outputs.push_back(value_text(output));
      EXPECT_TRUE(values.contains(output.text(1))) << output.text(1);
    }
  }

  std::vector<std::string> ops() const {
    std::vector<std::string> list;
    for (const auto& node : nodes) list.push_back(node.op);
    return list;
  }
  const Node& node(const std::string& name) const {
    for (const auto& node : nodes) {
      if (node.name == name) return node;
    }
    throw std::out_of_range(name);
  }
};

class Onnx : public testing::Test {
 protected:
  Graph exported(Layer& model, const ImageTask& task) const {
    export_onnx(model, task, file);
    return Graph(file);
  }
  Graph exported(LanguageModel& model) const {
    export_onnx(model, file);
    return Graph(file);
  }
  Graph exported(const char* spec, const ImageTask& task) {
    return exported(*make_model(spec, task, init), task);
  }

  TemporaryFolder folder;
  std::filesystem::path file = folder.path() / "model.onnx";
  Init init{1};
};

TEST_F(Onnx, LenetIsASequenceOfItsLayers) {
  const auto model = make_model("lenet", kGrey, init);
  const auto graph = exported(*model, kGrey);
  EXPECT_THAT(graph.ops(),
              ElementsAre("Conv", "Relu", "MaxPool", "Conv", "Relu", "MaxPool", "Flatten", "Gemm",
                          "Relu", "Gemm", "Relu", "Gemm", "Identity"));
  EXPECT_THAT(graph.inputs, ElementsAre("input 1(batch, 1, 28, 28)"));
  EXPECT_THAT(graph.outputs, ElementsAre("logits 1(batch, 10)"));
  EXPECT_THAT(graph.node("0/Conv").inputs, ElementsAre("input", "0.weight", "0.bias"));
  EXPECT_THAT(graph.node("7/Gemm").inputs, ElementsAre("6/Flatten", "7.weight", "7.bias"));
  EXPECT_THAT(graph.node("7/Gemm").integers.at("transB"), ElementsAre(1));
  const auto weights = parameters(*model);
  EXPECT_EQ(graph.initializers.size(), weights.size());
  for (const auto& [name, tensor] : weights) {
    const auto& stored = graph.initializers.at(name);
    EXPECT_EQ(stored.type, 1);
    EXPECT_THAT(stored.shape, testing::ElementsAreArray(tensor.shape()));
    EXPECT_THAT(stored.floats(), testing::ElementsAreArray(tensor.data())) << name;
  }
}

TEST_F(Onnx, ResidualBlocksAddTheirShortcut) {
  const auto graph = exported("resnet20", {.channels = 3, .height = 16, .width = 8, .classes = 4});
  std::map<std::string, int> count;
  for (const auto& op : graph.ops()) ++count[op];
  EXPECT_EQ(count, (std::map<std::string, int>{{"Add", 9},
                                               {"BatchNormalization", 21},
                                               {"Conv", 21},
                                               {"Flatten", 1},
                                               {"Gemm", 1},
                                               {"GlobalAveragePool", 1},
                                               {"Identity", 1},
                                               {"Relu", 19}}));
  const auto bn2 = [](const std::string& block) { return block + ".bn2/BatchNormalization"; };
  EXPECT_THAT(graph.node("layer1.1.bn2/Add").inputs,
              ElementsAre(bn2("layer1.1"), "layer1.0.bn2/Relu"));
  EXPECT_THAT(graph.node("layer2.0.bn2/Add").inputs,
              ElementsAre(bn2("layer2.0"), "layer2.0.shortcut.bn/BatchNormalization"));
  EXPECT_THAT(graph.node("layer2.0.shortcut.conv/Conv").inputs,
              ElementsAre("layer1.2.bn2/Relu", "layer2.0.shortcut.conv.weight"));
  EXPECT_THAT(
      graph.node("bn1/BatchNormalization").inputs,
      ElementsAre("conv1/Conv", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"));
}

TEST_F(Onnx, OptionsBecomeAttributes) {
  Sequential model;
  model
      .add<Conv2d>(Conv2dOptions{.in = 2,
                                 .out = 4,
                                 .kernel = 3,
                                 .stride = 2,
                                 .padding = 1,
                                 .groups = 2,
                                 .bias = false},
                   init)
      .add<BatchNorm2d>(BatchNorm2dOptions{.channels = 4, .eps = 0.25}, init)
      .add<AvgPool2d>(PoolOptions{.kernel = 3, .stride = 1, .padding = 1})
      .add<MaxPool2d>(PoolOptions{.kernel = 2})
      .add<Dropout>(0.5)
      .add<GlobalAvgPool2d>();
  const auto graph = exported(model, {.channels = 2, .height = 8, .width = 8, .classes = 4});
  const auto& conv = graph.node("0/Conv");
  EXPECT_THAT(conv.inputs, ElementsAre("input", "0.weight"));
  EXPECT_THAT(conv.integers.at("kernel_shape"), ElementsAre(3, 3));
  EXPECT_THAT(conv.integers.at("strides"), ElementsAre(2, 2));
  EXPECT_THAT(conv.integers.at("pads"), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(conv.integers.at("group"), ElementsAre(2));
  EXPECT_EQ(graph.node("1/BatchNormalization").numbers.at("epsilon"), 0.25F);
  const auto& average = graph.node("2/AveragePool").integers;
  EXPECT_THAT(average.at("strides"), ElementsAre(1, 1));
  EXPECT_THAT(average.at("pads"), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(average.at("count_include_pad"), ElementsAre(1));
  EXPECT_THAT(graph.node("3/MaxPool").integers.at("strides"), ElementsAre(2, 2));
  EXPECT_THAT(graph.node("5/GlobalAveragePool").inputs, ElementsAre("3/MaxPool"));
}

TEST_F(Onnx, LstmGatesAreReordered) {
  LanguageModel model({.vocabulary = 3, .embedding = 1, .hidden = 1, .layers = 1}, init);
  for (auto [name, tensor] : parameters(model)) {
    if (!name.starts_with("rnn.")) continue;
    const real ten = name.starts_with("rnn.bias_hh") ? 10 : 0;
    for (int gate = 0; gate < 4; ++gate) {
      tensor.data_mut()[static_cast<std::size_t>(gate)] = ten + static_cast<real>(gate);
    }
  }
  const auto graph = exported(model);
  const auto& weight = graph.initializers.at("rnn.weight_ih_l0");
  EXPECT_THAT(weight.shape, ElementsAre(1, 4, 1));
  EXPECT_THAT(weight.floats(), ElementsAre(0, 3, 1, 2));
  EXPECT_THAT(graph.initializers.at("rnn.weight_hh_l0").floats(), ElementsAre(0, 3, 1, 2));
  const auto& bias = graph.initializers.at("rnn.bias_l0");
  EXPECT_THAT(bias.shape, ElementsAre(1, 8));
  EXPECT_THAT(bias.floats(), ElementsAre(0, 3, 1, 2, 10, 13, 11, 12));
}

TEST_F(Onnx, LanguageModelsHaveTheirStateAsInputAndOutput) {
  LanguageModel tied({.vocabulary = 9, .embedding = 6, .hidden = 6, .layers = 2}, init);
  const auto graph = exported(tied);
  EXPECT_THAT(graph.ops(),
              ElementsAre("Split", "Split", "Gather", "LSTM", "Squeeze", "LSTM", "Squeeze",
                          "Transpose", "MatMul", "Add", "Concat", "Concat"));
  EXPECT_THAT(graph.inputs,
              ElementsAre("ids 7(time, batch)", "h0 1(2, batch, 6)", "c0 1(2, batch, 6)"));
  EXPECT_THAT(graph.outputs,
              ElementsAre("logits 1(time, batch, 9)", "hn 1(2, batch, 6)", "cn 1(2, batch, 6)"));
  EXPECT_FALSE(graph.initializers.contains("decoder.weight"));
  EXPECT_THAT(graph.node("decoder/Transpose").inputs, ElementsAre("encoder.weight"));
  EXPECT_THAT(graph.node("rnn/LSTM_l1").inputs,
              ElementsAre("rnn/Squeeze_l0", "rnn.weight_ih_l1", "rnn.weight_hh_l1", "rnn.bias_l1",
                          "", "rnn/h0_l1", "rnn/c0_l1"));
  LanguageModel untied({.vocabulary = 9, .embedding = 4, .hidden = 6, .layers = 1, .tied = false},
                       init);
  EXPECT_THAT(exported(untied).node("decoder/Transpose").inputs, ElementsAre("decoder.weight"));
}

TEST_F(Onnx, ExportingChangesNoMode) {
  const auto model = make_model("lenet", kGrey, init);
  export_onnx(*model, kGrey, file);
  EXPECT_TRUE(model->training());
  model->eval();
  export_onnx(*model, kGrey, file);
  EXPECT_FALSE(model->training());
}

TEST_F(Onnx, WhatCannotBeExportedIsAnErrorAndLeavesNoFile) {
  const auto error = [&](Layer& model, const ImageTask& task) {
    return error_of<Error>([&] { export_onnx(model, task, file); });
  };
  Sequential inner;
  inner.add<Flatten>().add<Gelu>();
  EXPECT_THAT(error(inner, {.channels = 1, .height = 2, .width = 2, .classes = 4}),
              HasSubstr("export_onnx: layer '1': Gelu has no translation to ONNX"));
  const auto model = make_model("lenet", kGrey, init);
  auto task = kGrey;
  task.classes = 7;
  EXPECT_THAT(error(*model, task),
              HasSubstr("export_onnx: expected logits (1, 7) of one image; got (1, 10)"));
  task.height = 56;
  EXPECT_NE(error(*model, task), "");
  EXPECT_TRUE(model->training());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  file = folder.path() / "no" / "model.onnx";
  EXPECT_THAT(error(*model, kGrey), HasSubstr("model.onnx.tmp': cannot be written: No such"));
}

}  // namespace
}  // namespace terse::nn
