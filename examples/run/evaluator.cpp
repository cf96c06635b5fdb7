#include "examples/run/evaluator.hpp"

#include "tersegrad/core/autograd.hpp"

namespace terse::run {

Evaluation Evaluator::evaluate(Task& task) const {
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

}  // namespace terse::run
