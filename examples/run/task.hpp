// What is trained: a model and its data. The training loop knows no more of it than this.
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
Dataset load_data(const RunConfig& config);
// What the reader left out, on standard error.
void print_notes(const Dataset& data);

// One worker's model, and its place in the data.
class Task {
 public:
  virtual ~Task() = default;
  virtual nn::Module& model() = 0;
  virtual std::int64_t steps_per_epoch() const = 0;
  virtual std::int64_t samples_per_step() const = 0;  // images, or tokens

  // After other workers have left: this one has `rank` among `workers` from now on. The length of
  // an epoch stays what it was.
  virtual void deal_test(int rank, int workers) = 0;
  // `epoch` epochs are over.
  virtual void deal_training(int rank, int workers, std::int64_t epoch) = 0;

  virtual void load() = 0;    // the next batch
  virtual Tensor loss() = 0;  // of that batch, mean over its samples: shape ()

  // Sums over this worker's share of the test set. The caller has switched the model to evaluation.
  struct Test {
    double samples = 0, loss = 0, correct = 0;  // correct: images alone
  };
  virtual Test test() = 0;
};

// `config` and `data` must outlive the task. The worker's rank and the number of workers say which
// part of the data is its own. A thread of its own makes `prefetch` batches of images ahead; 0:
// none does. UsageError for a model that does not fit the data.
std::unique_ptr<Task> make_task(const RunConfig& config, const Dataset& data, int rank, int workers,
                                std::int64_t prefetch = 4);

// The model's table of layers, for a batch of this data.
std::string describe_model(const RunConfig& config, const Dataset& data);

}  // namespace terse::run
