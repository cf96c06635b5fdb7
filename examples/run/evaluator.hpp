// Evaluates models on the split that --evaluate names.
#pragma once

#include <variant>

#include "examples/run/all_workers.hpp"
#include "examples/run/result.hpp"
#include "examples/run/task.hpp"
#include "tersegrad/core/autograd.hpp"

namespace terse::run {

class Evaluator {
 public:
  // `workers`: those among which the split is divided; nullptr if a task has all of it.
  Evaluator(Split split, const Dataset& data, AllWorkers* workers = nullptr)
      : split_(split),
        metric_(std::holds_alternative<TextSplits>(data) ? Metric::perplexity : Metric::accuracy),
        workers_(workers) {}

  // The split, the metric, the loss and the accuracy; the caller adds the rest. With workers, all of
  // them must call it together. The model is in training mode afterwards.
  Evaluation evaluate(Task& task) const {
    const NoGrad no_grad;
    task.model().eval();
    auto sums = task.evaluate();
    task.model().train();
    if (workers_ != nullptr) {
      for (double* sum : {&sums.samples, &sums.loss, &sums.correct}) *sum = workers_->sum(*sum);
    }
    return {.split = split_,
            .metric = metric_,
            .loss = sums.loss / sums.samples,
            .accuracy = sums.correct / sums.samples};
  }

  Split split() const { return split_; }
  Metric metric() const { return metric_; }

 private:
  Split split_;
  Metric metric_;
  AllWorkers* workers_;
};

}  // namespace terse::run
