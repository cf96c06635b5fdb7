// Evaluates models on the test set.
#pragma once

#include <variant>

#include "examples/run/all_workers.hpp"
#include "examples/run/result.hpp"
#include "examples/run/task.hpp"
#include "tersegrad/core/autograd.hpp"

namespace terse::run {

class Evaluator {
 public:
  // `workers`: those among which the test set is divided; nullptr if a task has all of it.
  explicit Evaluator(const Dataset& data, AllWorkers* workers = nullptr)
      : metric_(std::holds_alternative<TextSplits>(data) ? Metric::perplexity : Metric::accuracy),
        workers_(workers) {}

  // The metric, the test loss and the test accuracy; the caller adds the rest. With workers, all of
  // them must call it together. The model is in training mode afterwards.
  Evaluation evaluate(Task& task) const {
    const NoGrad no_grad;
    task.model().eval();
    auto sums = task.test();
    task.model().train();
    if (workers_ != nullptr) {
      for (double* sum : {&sums.samples, &sums.loss, &sums.correct}) *sum = workers_->sum(*sum);
    }
    return {.metric = metric_,
            .test_loss = sums.loss / sums.samples,
            .test_accuracy = sums.correct / sums.samples};
  }

  Metric metric() const { return metric_; }

 private:
  Metric metric_;
  AllWorkers* workers_;
};

}  // namespace terse::run
