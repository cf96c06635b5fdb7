// What a run counts while it trains: losses, skipped steps, samples and the time that they took.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "tersegrad/comm/transport/accounting.hpp"

namespace terse::run {

// Running totals of one worker; the difference of two totals belongs to the steps between them.
struct StepCosts {
  PhaseTimes times = {}, virtual_times = {};
  double hidden_seconds = 0;  // see RunResult
};
inline StepCosts operator-(const StepCosts& later, const StepCosts& earlier) {
  return {.times = later.times - earlier.times,
          .virtual_times = later.virtual_times - earlier.virtual_times,
          .hidden_seconds = later.hidden_seconds - earlier.hidden_seconds};
}

class RunStatistics {
 public:
  // Losses of the steps that were taken.
  void add_loss(double loss, bool in_last_epoch);
  double take_loss();  // mean since the previous call; NaN if there is none
  double last_epoch_loss() const { return last_epoch_.mean(); }

  // Steps that changed nothing; a loss ends a row of them.
  void add_skipped_step() { ++skipped_, ++skipped_in_a_row_; }
  std::int64_t skipped() const { return skipped_; }
  std::int64_t skipped_in_a_row() const { return skipped_in_a_row_; }

  // Samples of all workers, and the wall clock, which runs between start_clock and stop_clock.
  void start_clock() { started_ = Clock::now(); }
  void stop_clock();
  void add_samples(std::int64_t samples) { all_samples_ += samples, samples_ += samples; }
  std::int64_t all_samples() const { return all_samples_; }
  double samples_per_second() const;  // 0 if no time was counted

  // The first step allocates memory, so the speed and costs of a run begin after it.
  void exclude_first_step(const StepCosts& costs_so_far = {});
  StepCosts without_first_step(const StepCosts& total) const { return total - first_step_; }

  // Since the previous report. Costs of the first step are part of the first report.
  struct Interval {
    StepCosts costs;
    double samples_per_second = 0;
  };
  Interval take_interval(const StepCosts& total = {});

 private:
  using Clock = std::chrono::steady_clock;

  struct Losses {
    double sum = 0;
    std::int64_t count = 0;
    double mean() const { return sum / static_cast<double>(count); }
  };

  double seconds() const;  // on the clock, a running interval included

  Losses since_evaluation_, last_epoch_;
  std::int64_t skipped_ = 0, skipped_in_a_row_ = 0;
  std::int64_t all_samples_ = 0;                     // the first step included
  std::int64_t samples_ = 0, reported_samples_ = 0;  // without it, as the seconds
  double stopped_seconds_ = 0, reported_seconds_ = 0;
  std::optional<Clock::time_point> started_;
  StepCosts first_step_, reported_;
};

}  // namespace terse::run
