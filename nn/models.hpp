// The model zoo: models by spec string.
//
//   mlp:hidden=128,layers=1   784-128-10 for 28x28 grey images: ReLU between linear layers
//   lenet                     LeNet-5 (LeCun et al. 1998) with ReLU and max pooling:
//                             61 706 parameters
//   resnet20, resnet18        residual networks for small images (nn/resnet.hpp)
//   lstm:layers=2,hidden=200,embedding=200,dropout=0.2,tied
//                             a language model (nn/language_model.hpp)
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "tersegrad/nn/language_model.hpp"
#include "tersegrad/nn/module.hpp"

namespace terse::nn {

// The shape of the images and the number of classes of a classification task.
struct ImageTask {
  std::int64_t channels, height, width;  // of one image
  std::int64_t classes;
};

enum class ModelKind { image, text };

// An entry of the registry: name, one-line summary, example spec and the kind of its data.
struct ModelEntry {
  std::string_view name, summary, example;
  ModelKind kind = ModelKind::image;
};
std::span<const ModelEntry> model_registry();

// The kind of the model that a spec names. Throws UsageError for an unknown model.
ModelKind model_kind(std::string_view spec);

// Makes a model x (N, channels, height, width) -> logits (N, classes). Throws UsageError for an
// unknown model or option, for a language model, and for images that the model does not support.
std::unique_ptr<Layer> make_model(std::string_view spec, const ImageTask& task, Init& init);

// Makes a language model for text of `vocabulary` different tokens. Throws UsageError for an
// unknown model or option, and for an image model.
std::unique_ptr<LanguageModel> make_language_model(std::string_view spec, std::int64_t vocabulary,
                                                   Init& init);

}  // namespace terse::nn
