// The model zoo: models by spec string.
//
//   mlp:hidden=128,layers=1   784-128-10 for 28x28 grey images: ReLU between linear layers
//   lenet                     LeNet-5 (LeCun et al. 1998) with ReLU and max pooling: 61 706
//   parameters
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "nn/module.hpp"

namespace terse::nn {

struct ImageTask {
  std::int64_t channels, height, width;  // of one image
  std::int64_t classes;
};

struct ModelEntry {
  std::string_view name, summary, example;
};
std::span<const ModelEntry> model_registry();

// x (N, channels, height, width) -> logits (N, classes). UsageError for an unknown model or option,
// or images that it cannot take.
std::unique_ptr<Module> make_model(std::string_view spec, const ImageTask& task, Init& init);

}  // namespace terse::nn
