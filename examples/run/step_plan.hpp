// The steps of a run: how many there are, which end with a report or an evaluation, and their
// learning rates.
#pragma once

#include <cstdint>

#include "examples/run/config.hpp"
#include "tersegrad/optim/schedule.hpp"

namespace terse::run {

// In all functions `step` is the number of steps taken.
class StepPlan {
 public:
  StepPlan(const RunConfig& config, std::int64_t steps_per_epoch)
      : total_(config.steps > 0 ? config.steps : config.epochs * steps_per_epoch),
        per_epoch_(steps_per_epoch),
        eval_every_(config.eval_every),
        eval_steps_(config.eval_steps),
        lr_(*config.lr),
        schedule_(make_schedule(config.schedule)) {}

  std::int64_t total() const { return total_; }
  std::int64_t per_epoch() const { return per_epoch_; }
  double epochs(std::int64_t step) const {
    return static_cast<double>(step) / static_cast<double>(per_epoch_);
  }
  bool at_epoch(std::int64_t step) const { return step % per_epoch_ == 0; }
  bool reports(std::int64_t step) const { return step % kReportEvery == 0 || step == total_; }
  bool evaluates(std::int64_t step) const {
    if (step == total_) return true;
    if (eval_steps_ > 0) return step % eval_steps_ == 0;
    return eval_every_ > 0 && at_epoch(step) && step / per_epoch_ % eval_every_ == 0;
  }
  // The learning rate of the next step.
  double rate(std::int64_t step) const {
    return lr_ * schedule_({.step = step, .total_steps = total_, .steps_per_epoch = per_epoch_});
  }

 private:
  static constexpr std::int64_t kReportEvery = 25;

  std::int64_t total_, per_epoch_, eval_every_, eval_steps_;
  double lr_;
  Schedule schedule_;
};

}  // namespace terse::run
