// The model of a run, from its checkpoint: what the tests of the run look at.
#pragma once

#include <memory>
#include <string>

#include "examples/run/checkpoint.hpp"
#include "examples/run/task.hpp"
#include "tersegrad/nn/models.hpp"

namespace terse::run {

struct TrainedModel {
  // One of the two, by the kind of the model.
  std::unique_ptr<nn::Layer> image;
  std::unique_ptr<nn::LanguageModel> text;
  nn::ImageTask task = {};  // of the image model

  nn::Module& module() const { return image ? static_cast<nn::Module&>(*image) : *text; }
};

// The parameters and running statistics are the means over the workers, as in a test of the run;
// with an asynchronous server the parameters are the server's. Throws Error if the checkpoint lacks
// something of the model.
TrainedModel trained_model(const Checkpoint& checkpoint);

// What a checkpoint's metadata must say of the data, so that the model can be made without them.
std::string task_text(const Dataset& data);

}  // namespace terse::run
