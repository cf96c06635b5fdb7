#include "tersegrad/nn/onnx.hpp"

#include <fmt/format.h>

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/nn/onnx_graph.hpp"
#include "tersegrad/nn/resnet.hpp"

namespace terse::nn {
namespace {

using onnx::ElementType;
using onnx::integer;
using onnx::integers;
using onnx::number;

// The parts, parameters and buffers of a model by their paths. The path of the model is "".
class Index final : public Visitor {
 public:
  explicit Index(Module& model) : parts_{{"", &model}} { model.visit(*this); }

  // Null if there is no such part.
  const Module* part(const std::string& path) const {
    const auto found = parts_.find(path);
    return found == parts_.end() ? nullptr : found->second;
  }
  const Tensor& tensor(const std::string& path) const { return tensors_.at(path); }

 private:
  void parameter(const std::string& path, Parameter& parameter) override {
    tensors_.emplace(path, parameter.tensor());
  }
  void buffer(const std::string& path, Tensor& buffer) override { tensors_.emplace(path, buffer); }
  void module(const std::string& path, Module& part) override { parts_.emplace(path, &part); }

  std::map<std::string, const Module*> parts_;
  std::map<std::string, Tensor> tensors_;
};

std::vector<float> floats(std::span<const real> values) {
  return {values.begin(), values.end()};
}

std::string join(const std::string& path, std::string_view name, char between) {
  return path.empty() ? std::string(name) : fmt::format("{}{}{}", path, between, name);
}

// Translates an image model layer by layer. Values of the graph are named "PATH/OPERATOR".
class ImageExporter {
 public:
  ImageExporter(Layer& model, onnx::Graph& graph) : index_(model), graph_(graph) {}

  // Adds the nodes of the layer at `path`, applied to the value x. Returns the name of the result.
  std::string layer(const std::string& path, const std::string& x) {
    return dispatch<Linear, Conv2d, BatchNorm2d, MaxPool2d, AvgPool2d, GlobalAvgPool2d, ReLU, Tanh,
                    Sigmoid, Flatten, Dropout, Sequential, BasicBlock, Resnet>(path, x);
  }

 private:
  template <class... Types>
  std::string dispatch(const std::string& path, const std::string& x) {
    const Module* part = index_.part(path);
    std::optional<std::string> y;
    const auto try_type = [&](const auto* typed) {
      if (typed != nullptr) y = add(*typed, path, x);
      return typed != nullptr;
    };
    check((try_type(dynamic_cast<const Types*>(part)) || ...),
          "export_onnx: layer '{}': {} has no translation to ONNX", path, part->describe());
    return *y;
  }

  // One function for each type of layer.
  std::string add(const Linear& linear, const std::string& path, const std::string& x) {
    return node("Gemm", path, inputs(x, path, {"weight", linear.bias.defined() ? "bias" : ""}),
                {integer("transB", 1)});
  }
  std::string add(const Conv2d& conv, const std::string& path, const std::string& x) {
    const auto& o = conv.options();
    return node("Conv", path, inputs(x, path, {"weight", conv.bias.defined() ? "bias" : ""}),
                {both("kernel_shape", o.kernel), both("strides", o.stride), pads(o.padding),
                 integer("group", o.groups)});
  }
  std::string add(const BatchNorm2d& bn, const std::string& path, const std::string& x) {
    return node("BatchNormalization", path,
                inputs(x, path, {"weight", "bias", "running_mean", "running_var"}),
                {number("epsilon", bn.options().eps)});
  }
  std::string add(const MaxPool2d& pool, const std::string& path, const std::string& x) {
    const auto& o = pool.options();
    return node("MaxPool", path, {x},
                {both("kernel_shape", o.kernel), both("strides", stride(o)), pads(o.padding)});
  }
  std::string add(const AvgPool2d& pool, const std::string& path, const std::string& x) {
    const auto& o = pool.options();
    return node("AveragePool", path, {x},
                {both("kernel_shape", o.kernel), both("strides", stride(o)), pads(o.padding),
                 integer("count_include_pad", 1)});
  }
  std::string add(const GlobalAvgPool2d&, const std::string& path, const std::string& x) {
    return node("Flatten", path, {node("GlobalAveragePool", path, {x})});
  }
  std::string add(const ReLU&, const std::string& path, const std::string& x) {
    return node("Relu", path, {x});
  }
  std::string add(const Tanh&, const std::string& path, const std::string& x) {
    return node("Tanh", path, {x});
  }
  std::string add(const Sigmoid&, const std::string& path, const std::string& x) {
    return node("Sigmoid", path, {x});
  }
  std::string add(const Flatten&, const std::string& path, const std::string& x) {
    return node("Flatten", path, {x});
  }
  std::string add(const Dropout&, const std::string&, const std::string& x) { return x; }
  std::string add(const Sequential&, const std::string& path, const std::string& x) {
    std::string y = x;
    for (int i = 0; has(path, std::to_string(i)); ++i) y = part(path, std::to_string(i), y);
    return y;
  }
  std::string add(const BasicBlock&, const std::string& path, const std::string& x) {
    const auto shortcut =
        has(path, "shortcut.conv") ? part(path, "shortcut.bn", part(path, "shortcut.conv", x)) : x;
    auto y = part(path, "bn1", part(path, "conv1", x));
    y = part(path, "conv2", node("Relu", join(path, "bn1", '.'), {y}));
    const auto bn2 = join(path, "bn2", '.');
    return node("Relu", bn2, {node("Add", bn2, {layer(bn2, y), shortcut})});
  }
  std::string add(const Resnet&, const std::string& path, const std::string& x) {
    auto y = part(path, "bn1", part(path, "conv1", x));
    y = node("Relu", join(path, "bn1", '.'), {y});
    const auto block = [](int stage, int i) { return fmt::format("layer{}.{}", stage, i); };
    for (int stage = 1; has(path, block(stage, 0)); ++stage) {
      for (int i = 0; has(path, block(stage, i)); ++i) y = part(path, block(stage, i), y);
    }
    return part(path, "linear", part(path, "pool", y));
  }

  bool has(const std::string& path, std::string_view name) const {
    return index_.part(join(path, name, '.')) != nullptr;
  }
  std::string part(const std::string& path, std::string_view name, const std::string& x) {
    return layer(join(path, name, '.'), x);
  }
  std::string node(std::string_view op, const std::string& path,
                   const std::vector<std::string>& inputs,
                   std::initializer_list<ProtobufMessage> attributes = {}) {
    return graph_.node(op, join(path, op, '/'), inputs, attributes);
  }
  // x, followed by the tensors of the layer, which become initializers; "" is none.
  std::vector<std::string> inputs(const std::string& x, const std::string& path,
                                  std::initializer_list<std::string_view> names) {
    std::vector<std::string> values = {x};
    for (const auto name : names) {
      if (name.empty()) continue;
      const auto full = join(path, name, '.');
      const auto& tensor = index_.tensor(full);
      values.push_back(graph_.initializer(full, tensor.shape().dims(), floats(tensor.data())));
    }
    return values;
  }

  static ProtobufMessage both(std::string_view name, std::int64_t size) {
    return integers(name, std::array{size, size});
  }
  static ProtobufMessage pads(std::int64_t padding) {
    return integers("pads", std::array{padding, padding, padding, padding});
  }
  static std::int64_t stride(const PoolOptions& o) { return o.stride != 0 ? o.stride : o.kernel; }

  Index index_;
  onnx::Graph& graph_;
};

// The shape of the logits of one image.
Shape logits_shape(Layer& model, const ImageTask& task) {
  struct Evaluation {
    explicit Evaluation(Layer& layer) : model(layer), training(layer.training()) { model.eval(); }
    ~Evaluation() { model.train(training); }
    Layer& model;
    bool training;
  } const evaluation(model);
  const NoGrad no_grad;
  return model(Tensor::zeros({1, task.channels, task.height, task.width})).shape();
}

// The four gates of a weight or bias of an LSTM in ONNX's order.
std::vector<float> reordered_gates(const Tensor& tensor) {
  std::vector<float> values;
  const auto size = static_cast<std::size_t>(tensor.numel() / 4);
  for (const std::size_t gate : {0, 3, 1, 2}) {
    const auto from = tensor.data().subspan(gate * size, size);
    values.insert(values.end(), from.begin(), from.end());
  }
  return values;
}

}  // namespace

void export_onnx(Layer& model, const ImageTask& task, const std::filesystem::path& file) {
  const Shape expected = {1, task.classes}, got = logits_shape(model, task);
  check(got == expected, "export_onnx: expected logits {} of one image; got {}",
        expected.to_string(), got.to_string());
  onnx::Graph graph("image model");
  const auto input =
      graph.input("input", ElementType::float32, {"batch", task.channels, task.height, task.width});
  graph.node("Identity", "logits", {ImageExporter(model, graph).layer("", input)});
  graph.output("logits", ElementType::float32, {"batch", task.classes});
  graph.write(file);
}

void export_onnx(LanguageModel& model, const std::filesystem::path& file) {
  const auto& o = model.options();
  const Index index(model);
  onnx::Graph graph("language model");
  const auto initializer = [&](const std::string& name) {
    const auto& tensor = index.tensor(name);
    return graph.initializer(name, tensor.shape().dims(), floats(tensor.data()));
  };
  // The operator has one weight for each direction, of which there is one here.
  const auto lstm_weight = [&](const std::string& name) {
    const auto& tensor = index.tensor(name);
    return graph.initializer(name, std::array{std::int64_t{1}, tensor.dim(0), tensor.dim(1)},
                             reordered_gates(tensor));
  };
  const auto lstm_bias = [&](std::int64_t layer) {
    auto values = reordered_gates(index.tensor(fmt::format("rnn.bias_ih_l{}", layer)));
    const auto second = reordered_gates(index.tensor(fmt::format("rnn.bias_hh_l{}", layer)));
    values.insert(values.end(), second.begin(), second.end());
    return graph.initializer(fmt::format("rnn.bias_l{}", layer),
                             std::array{std::int64_t{1}, 8 * o.hidden}, values);
  };

  const std::vector<onnx::Dimension> state_shape = {o.layers, "batch", o.hidden};
  const auto ids = graph.input("ids", ElementType::int64, {"time", "batch"});
  std::array<std::vector<std::string>, 2> first, last;  // h and c of every layer
  for (const std::size_t i : {0, 1}) {
    const std::string name = i == 0 ? "h" : "c";
    graph.input(name + "0", ElementType::float32, state_shape);
    for (std::int64_t layer = 0; layer < o.layers; ++layer) {
      first[i].push_back(fmt::format("rnn/{}0_l{}", name, layer));
      last[i].push_back(fmt::format("rnn/{}n_l{}", name, layer));
    }
    graph.node("Split", fmt::format("rnn/Split_{}0", name), {name + "0"}, first[i],
               {integer("axis", 0)});
  }

  const auto embedding = initializer("encoder.weight");
  const auto direction = graph.initializer("rnn/direction_axis", std::array{std::int64_t{1}});
  auto y = graph.node("Gather", "encoder/Gather", {embedding, ids});
  for (std::int64_t layer = 0; layer < o.layers; ++layer) {
    const auto l = static_cast<std::size_t>(layer);
    const auto all = fmt::format("rnn/y_l{}", layer);  // (time, 1, batch, hidden)
    graph.node("LSTM", fmt::format("rnn/LSTM_l{}", layer),
               {y, lstm_weight(fmt::format("rnn.weight_ih_l{}", layer)),
                lstm_weight(fmt::format("rnn.weight_hh_l{}", layer)), lstm_bias(layer), "",
                first[0][l], first[1][l]},
               {all, last[0][l], last[1][l]}, {integer("hidden_size", o.hidden)});
    y = graph.node("Squeeze", fmt::format("rnn/Squeeze_l{}", layer), {all, direction});
  }
  const auto decoder = o.tied ? embedding : initializer("decoder.weight");
  const auto transposed = graph.node("Transpose", "decoder/Transpose", {decoder});
  const auto product = graph.node("MatMul", "decoder/MatMul", {y, transposed});
  graph.node("Add", "logits", {product, initializer("decoder.bias")});
  graph.node("Concat", "hn", last[0], {integer("axis", 0)});
  graph.node("Concat", "cn", last[1], {integer("axis", 0)});

  graph.output("logits", ElementType::float32, {"time", "batch", o.vocabulary});
  graph.output("hn", ElementType::float32, state_shape);
  graph.output("cn", ElementType::float32, state_shape);
  graph.write(file);
}

}  // namespace terse::nn
