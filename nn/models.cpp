#include "tersegrad/nn/models.hpp"

#include <string>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/nn/layers.hpp"
#include "tersegrad/nn/resnet.hpp"

namespace terse::nn {
namespace {

// Flatten, then `layers` hidden layers of `hidden` units with ReLU, then a linear layer to
// the classes.
std::unique_ptr<Layer> make_mlp(Options& options, const ImageTask& task, Init& init) {
  const std::int64_t hidden = options.integer("hidden", 128, 1, 1 << 20);
  const std::int64_t layers = options.integer("layers", 1, 0, 100);
  auto model = std::make_unique<Sequential>();
  model->add<Flatten>();
  std::int64_t in = task.channels * task.height * task.width;
  for (std::int64_t i = 0; i < layers; ++i, in = hidden) {
    model->add<Linear>(LinearOptions{.in = in, .out = hidden}, init).add<ReLU>();
  }
  model->add<Linear>(LinearOptions{.in = in, .out = task.classes}, init);
  return model;
}

// Two 5x5 convolutions, each followed by 2x2 max pooling, then linear layers to 120, 84 and the
// number of classes.
std::unique_ptr<Layer> make_lenet(Options&, const ImageTask& task, Init& init) {
  // The first convolution keeps the size, each pooling halves it, and the second convolution
  // reduces it by 4.
  const std::int64_t height = (task.height / 2 - 4) / 2, width = (task.width / 2 - 4) / 2;
  check<UsageError>(height >= 1 && width >= 1,
                    "model 'lenet': expected images of at least 12x12; got {}x{}", task.height,
                    task.width);
  auto model = std::make_unique<Sequential>();
  model->add<Conv2d>(Conv2dOptions{.in = task.channels, .out = 6, .kernel = 5, .padding = 2}, init)
      .add<ReLU>()
      .add<MaxPool2d>(PoolOptions{.kernel = 2})
      .add<Conv2d>(Conv2dOptions{.in = 6, .out = 16, .kernel = 5}, init)
      .add<ReLU>()
      .add<MaxPool2d>(PoolOptions{.kernel = 2})
      .add<Flatten>()
      .add<Linear>(LinearOptions{.in = 16 * height * width, .out = 120}, init)
      .add<ReLU>()
      .add<Linear>(LinearOptions{.in = 120, .out = 84}, init)
      .add<ReLU>()
      .add<Linear>(LinearOptions{.in = 84, .out = task.classes}, init);
  return model;
}

template <int kBlocks, std::int64_t... kWidths>
std::unique_ptr<Layer> make_resnet(Options&, const ImageTask& task, Init& init) {
  return std::make_unique<Resnet>(ResnetOptions{.channels = task.channels,
                                                .classes = task.classes,
                                                .widths = {kWidths...},
                                                .blocks = kBlocks},
                                  init);
}

LanguageModelOptions language_model_options(Options& options, std::int64_t vocabulary) {
  LanguageModelOptions o{.vocabulary = vocabulary};
  o.layers = options.integer("layers", o.layers, 1, 100);
  o.hidden = options.integer("hidden", o.hidden, 1, 1 << 16);
  o.embedding = options.integer("embedding", o.hidden, 1, 1 << 16);
  o.dropout = options.number("dropout", o.dropout, 0, 0.99);
  o.tied = options.flag("tied", o.embedding == o.hidden);
  return o;
}

struct Factory {
  ModelEntry entry;
  // Null for the one language model, which make_language_model makes.
  std::unique_ptr<Layer> (*make)(Options&, const ImageTask&, Init&);
};

constexpr Factory kModels[] = {
    {{"mlp", "fully connected layers with ReLU", "mlp:hidden=128,layers=1"}, make_mlp},
    {{"lenet", "LeNet-5 with ReLU and max pooling", "lenet"}, make_lenet},
    {{"resnet20", "residual network, 3 x 3 blocks of 16, 32, 64 channels", "resnet20"},
     make_resnet<3, 16, 32, 64>},
    {{"resnet18", "residual network, 4 x 2 blocks of 64 to 512 channels", "resnet18"},
     make_resnet<2, 64, 128, 256, 512>},
    {{"lstm", "language model of LSTM layers", "lstm:layers=2,hidden=200,dropout=0.2",
      ModelKind::text},
     nullptr},
};

const Factory& find(const Stage& stage) {
  std::vector<std::string> known;
  for (const auto& factory : kModels) {
    if (factory.entry.name == stage.name) return factory;
    known.emplace_back(factory.entry.name);
  }
  throw UsageError(unknown_name("model", stage.name, known));
}

}  // namespace

std::span<const ModelEntry> model_registry() {
  static const std::vector<ModelEntry> entries = [] {
    std::vector<ModelEntry> list;
    for (const auto& model : kModels) list.push_back(model.entry);
    return list;
  }();
  return entries;
}

ModelKind model_kind(std::string_view spec) {
  return find(parse_stage("model", spec)).entry.kind;
}

std::unique_ptr<Layer> make_model(std::string_view spec, const ImageTask& task, Init& init) {
  const Stage stage = parse_stage("model", spec);
  const auto& factory = find(stage);
  check<UsageError>(factory.make != nullptr, "model '{}': expected text data; got images",
                    stage.name);
  Options options("model", stage);
  auto model = factory.make(options, task, init);
  options.finish();
  return model;
}

std::unique_ptr<LanguageModel> make_language_model(std::string_view spec, std::int64_t vocabulary,
                                                   Init& init) {
  const Stage stage = parse_stage("model", spec);
  check<UsageError>(find(stage).entry.kind == ModelKind::text,
                    "model '{}': expected images; got text data", stage.name);
  Options options("model", stage);
  const auto o = language_model_options(options, vocabulary);
  options.finish();
  return std::make_unique<LanguageModel>(o, init);
}

}  // namespace terse::nn
