#include "nn/models.hpp"

#include <string>
#include <vector>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "nn/layers.hpp"

namespace terse::nn {
namespace {

// Flatten, then `layers` hidden layers of `hidden` units with ReLU, then the classes.
std::unique_ptr<Module> make_mlp(Options& options, const ImageTask& task, Init& init) {
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

// Two convolutions of 5x5 with pooling by 2, then 120, 84 and the classes.
std::unique_ptr<Module> make_lenet(Options&, const ImageTask& task, Init& init) {
  // The first convolution keeps the size, each pooling halves it, the second takes 4 away.
  const std::int64_t height = (task.height / 2 - 4) / 2, width = (task.width / 2 - 4) / 2;
  check<UsageError>(height >= 1 && width >= 1,
                    "model 'lenet': images of at least 12x12 are wanted; got {}x{}", task.height,
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

struct Factory {
  ModelEntry entry;
  std::unique_ptr<Module> (*make)(Options&, const ImageTask&, Init&);
};

constexpr Factory kModels[] = {
    {{"mlp", "fully connected layers with ReLU", "mlp:hidden=128,layers=1"}, make_mlp},
    {{"lenet", "LeNet-5 with ReLU and max pooling", "lenet"}, make_lenet},
};

}  // namespace

std::span<const ModelEntry> model_registry() {
  static const std::vector<ModelEntry> entries = [] {
    std::vector<ModelEntry> list;
    for (const auto& model : kModels) list.push_back(model.entry);
    return list;
  }();
  return entries;
}

std::unique_ptr<Module> make_model(std::string_view spec, const ImageTask& task, Init& init) {
  const Stage stage = parse_stage("model", spec);
  std::vector<std::string> known;
  for (const auto& [entry, make] : kModels) {
    known.emplace_back(entry.name);
    if (entry.name != stage.name) continue;
    Options options("model", stage);
    auto model = make(options, task, init);
    options.finish();
    return model;
  }
  throw UsageError(unknown_name("model", stage.name, known));
}

}  // namespace terse::nn
