// Writes models as ONNX files, with inputs and the results that tersegrad computes from them.
// tests/onnx/check compares these with the results of ONNX Runtime.
//
//   write_models FOLDER
//
//   NAME.onnx          a model with random weights, biases and running statistics
//   NAME.weights.npz   its parameters and buffers by name
//   NAME.npz           inputs and results, named CALL.VALUE: "0.input", "0.logits". The initial
//                      state of a language model's call 1 is the last state of call 0.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/npz.hpp"
#include "tersegrad/core/ops.hpp"
#include "tersegrad/nn/layers.hpp"
#include "tersegrad/nn/onnx.hpp"
#include "tests/nn/random_models.hpp"

namespace terse::nn {
namespace {

// Arrays of a file, with their data.
class Arrays {
 public:
  void add(const std::string& name, const Tensor& tensor) {
    const std::vector<float> values(tensor.data().begin(), tensor.data().end());
    add(name, "F32", tensor.shape(), std::as_bytes(std::span(values)));
  }
  void add(const std::string& name, const Shape& shape, const std::vector<std::int32_t>& ids) {
    const std::vector<std::int64_t> values(ids.begin(), ids.end());
    add(name, "I64", shape, std::as_bytes(std::span(values)));
  }
  void write(const std::filesystem::path& file) const {
    std::vector<ArrayToWrite> arrays;
    for (const auto& a : arrays_) arrays.push_back({a.name, a.type, a.shape, a.data});
    write_npz(file, arrays);
  }

 private:
  struct Array {
    std::string name, type;
    std::vector<std::int64_t> shape;
    std::vector<std::byte> data;
  };
  void add(const std::string& name, const char* type, const Shape& shape,
           std::span<const std::byte> data) {
    arrays_.push_back({name, type, {shape.begin(), shape.end()}, {data.begin(), data.end()}});
  }
  std::vector<Array> arrays_;
};

void write_weights(Module& model, const std::filesystem::path& file) {
  Arrays arrays;
  for (const auto& list : {parameters(model), buffers(model)}) {
    for (const auto& [name, tensor] : list) arrays.add(name, tensor);
  }
  arrays.write(file);
}

void write_image_model(Layer& model, const ImageTask& task, const std::filesystem::path& stem) {
  Random random(1);
  const auto images = [&](std::int64_t batch, double mean) {
    return random.normal({batch, task.channels, task.height, task.width}, mean);
  };
  move_vectors(model, random);
  const NoGrad no_grad;
  for (int step = 0; step < 5; ++step) model(images(16, 0.3));  // sets running statistics
  export_onnx(model, task, stem.string() + ".onnx");
  check(model.training(), "write_models: export_onnx switched {} to evaluation", stem.string());
  write_weights(model, stem.string() + ".weights.npz");

  model.eval();
  Arrays arrays;
  for (const auto& [call, batch] : {std::pair{0, 10}, {1, 1}}) {
    const Tensor x = images(batch, 0.1);
    arrays.add(fmt::format("{}.input", call), x);
    arrays.add(fmt::format("{}.logits", call), model(x));
  }
  arrays.write(stem.string() + ".npz");
}

// The states of all layers as one tensor (layers, batch, hidden).
Tensor stacked(const LstmStates& states, Tensor LstmState::*which) {
  std::vector<Tensor> parts;
  for (const auto& state : states) {
    const Shape& s = (state.*which).shape();
    parts.push_back(reshape(state.*which, {1, s[0], s[1]}));
  }
  return concat(parts, 0);
}

void write_language_model(const LanguageModelOptions& o, const std::filesystem::path& stem) {
  Init init(1);
  Random random(2);
  LanguageModel model(o, init);
  move_vectors(model, random);
  export_onnx(model, stem.string() + ".onnx");
  write_weights(model, stem.string() + ".weights.npz");

  LanguageModelLogits logits(model);
  model.eval();
  const NoGrad no_grad;
  constexpr std::int64_t kBatch = 10;
  LstmStates states;
  for (std::int64_t layer = 0; layer < o.layers; ++layer) {
    states.push_back(
        {random.normal({kBatch, o.hidden}, 0, 0.5), random.normal({kBatch, o.hidden})});
  }
  Arrays arrays;
  arrays.add("0.h0", stacked(states, &LstmState::h));
  arrays.add("0.c0", stacked(states, &LstmState::c));
  for (const auto& [call, time] : {std::pair{0, 7}, {1, 3}}) {
    const auto ids = random.ids(time * kBatch, o.vocabulary);
    arrays.add(fmt::format("{}.ids", call), {time, kBatch}, ids);
    arrays.add(fmt::format("{}.logits", call), logits(time, kBatch, ids, states));
    arrays.add(fmt::format("{}.hn", call), stacked(states, &LstmState::h));
    arrays.add(fmt::format("{}.cn", call), stacked(states, &LstmState::c));
  }
  arrays.write(stem.string() + ".npz");
}

// A model with the layers and options that the other models do not have.
std::unique_ptr<Layer> other_layers(Init& init) {
  auto model = std::make_unique<Sequential>();
  model->add<Conv2d>(Conv2dOptions{.in = 4, .out = 6, .kernel = 3, .stride = 2, .groups = 2}, init)
      .add<Tanh>()
      .add<AvgPool2d>(PoolOptions{.kernel = 3, .stride = 2, .padding = 1})
      .add<Sigmoid>()
      .add<BatchNorm2d>(BatchNorm2dOptions{.channels = 6, .eps = 0.1}, init)
      .add<MaxPool2d>(PoolOptions{.kernel = 3, .stride = 1, .padding = 1})
      .add<Sequential>()
      .add<Dropout>(0.5)
      .add<GlobalAvgPool2d>()
      .add<Linear>(LinearOptions{.in = 6, .out = 5, .bias = false}, init)
      .add<Dropout>(0.5);
  return model;
}

void write_models(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  constexpr ImageTask kGrey{.channels = 1, .height = 28, .width = 28, .classes = 10};
  constexpr ImageTask kColour{.channels = 3, .height = 32, .width = 32, .classes = 10};
  for (const auto& [name, task] :
       {std::pair{"mlp", kGrey}, {"lenet", kGrey}, {"resnet20", kColour}, {"resnet18", kColour}}) {
    Init init(1);
    write_image_model(*make_model(name, task, init), task, folder / name);
  }
  Init init(1);
  write_image_model(*other_layers(init), {.channels = 4, .height = 21, .width = 18, .classes = 5},
                    folder / "other_layers");
  write_language_model({.vocabulary = 50, .embedding = 24, .hidden = 24, .dropout = 0.3},
                       folder / "lstm_tied");
  write_language_model(
      {.vocabulary = 50, .embedding = 10, .hidden = 24, .layers = 3, .dropout = 0.3, .tied = false},
      folder / "lstm");
  write_language_model(
      {.vocabulary = 50, .embedding = 24, .hidden = 24, .layers = 1, .dropout = 0, .tied = false},
      folder / "lstm_one_layer");
}

}  // namespace
}  // namespace terse::nn

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: write_models FOLDER\n", stderr);
    return 2;
  }
  terse::nn::write_models(argv[1]);
}
