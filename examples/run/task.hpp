// A task: a model and its data, behind the interface that the training loop needs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "examples/run/config.hpp"
#include "tersegrad/core/tensor.hpp"
#include "tersegrad/data/datasets.hpp"
#include "tersegrad/nn/module.hpp"

namespace terse::run {

using Dataset = std::variant<DatasetSplits, TextSplits>;  // images or text
// UsageError if the images have no split for --evaluate valid.
Dataset load_data(const RunConfig& config);
// Prints to standard error which samples were left out.
void print_notes(const Dataset& data);

// The model of one worker and its place in the data.
class Task {
 public:
  virtual ~Task() = default;
  virtual nn::Module& model() = 0;
  virtual std::int64_t steps_per_epoch() const = 0;
  virtual std::int64_t samples_per_step() const = 0;  // images, or tokens

  // Take the share of worker `rank` among `workers`. They are called again after other workers have
  // left, with the new rank; the length of an epoch does not change.
  virtual void partition_evaluation(int rank, int workers) = 0;
  // The batches begin after `epoch` epochs.
  virtual void partition_training(int rank, int workers, std::int64_t epoch) = 0;

  // The shares, the place in the data, the model's state besides its parameters, and the state that
  // it carries from batch to batch. Called between two steps.
  virtual void serialize(Archive& archive) = 0;

  virtual void load() = 0;    // loads the next batch
  virtual Tensor loss() = 0;  // the loss of that batch, mean over its samples: shape ()

  // Sums over this worker's share of the split that --evaluate names. The model is in evaluation
  // mode.
  struct Sums {
    double samples = 0, loss = 0, correct = 0;  // correct: images only
  };
  virtual Sums evaluate() = 0;
};

// `config` and `data` must outlive the task. The task reads the share of worker `rank` among
// `workers`. A separate thread prefetches `prefetch` batches of images; 0: no thread. UsageError if
// the model does not fit the data.
std::unique_ptr<Task> make_task(const RunConfig& config, const Dataset& data, int rank, int workers,
                                std::int64_t prefetch = 4);

// Loads the weights of --init, if it is given, into the task's model. Throws Error if the file does
// not fit the model.
void load_initial_weights(const RunConfig& config, Task& task);

// A table of the model's layers, for a batch of this data.
std::string describe_model(const RunConfig& config, const Dataset& data);

}  // namespace terse::run
