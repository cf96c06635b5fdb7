// What a run counts while it trains: losses, skipped steps, samples and the time that they took.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

#include "tersegrad/comm/transport/accounting.hpp"

namespace terse::run {

// Running totals of one worker; the difference of two totals belongs to the steps between them.
struct StepCosts {
  PartTimes times = {}, virtual_times = {};
  double hidden_seconds = 0;  // see RunResult
};
inline StepCosts operator-(const StepCosts& later, const StepCosts& earlier) {
  return {.times = later.times - earlier.times,
          .virtual_times = later.virtual_times - earlier.virtual_times,
          .hidden_seconds = later.hidden_seconds - earlier.hidden_seconds};
}

class RunStatistics {
 public:
  // Losses of the steps that were taken. A mean of none is NaN.
  void add_loss(double loss, bool in_last_epoch) {
    skipped_in_a_row_ = 0;
    since_evaluation_.add(loss);
    if (in_last_epoch) last_epoch_.add(loss);
  }
  double take_loss() { return std::exchange(since_evaluation_, {}).mean(); }
  double last_epoch_loss() const { return last_epoch_.mean(); }

  // Steps that changed nothing.
  void add_skipped_step() { ++skipped_, ++skipped_in_a_row_; }
  std::int64_t skipped() const { return skipped_; }
  std::int64_t skipped_in_a_row() const { return skipped_in_a_row_; }

  // Samples of all workers, and the wall clock, which runs between start_clock and stop_clock.
  void start_clock() { started_ = Clock::now(); }
  void stop_clock() {
    stopped_seconds_ = seconds();
    started_.reset();
  }
  void add_samples(std::int64_t samples) { all_samples_ += samples, samples_ += samples; }
  std::int64_t all_samples() const { return all_samples_; }
  double samples_per_second() const {
    return seconds() > 0 ? static_cast<double>(samples_) / seconds() : 0;
  }

  // The first step allocates memory, so the speed and costs of a run begin after it.
  void exclude_first_step(const StepCosts& total = {}) {
    first_step_ = total;
    samples_ = 0;
    stopped_seconds_ = 0;
    if (started_) started_ = Clock::now();
  }
  StepCosts without_first_step(const StepCosts& total) const { return total - first_step_; }

  // Since the previous report. Costs of the first step are part of the first report.
  struct Interval {
    StepCosts costs;
    double samples_per_second = 0;
  };
  Interval take_interval(const StepCosts& total = {}) {
    const double now = seconds(), time = now - std::exchange(reported_seconds_, now);
    const auto samples = samples_ - std::exchange(reported_samples_, samples_);
    return {.costs = total - std::exchange(reported_, total),
            .samples_per_second = time > 0 ? static_cast<double>(samples) / time : 0};
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Losses {
    double sum = 0;
    std::int64_t count = 0;
    void add(double loss) { sum += loss, ++count; }
    double mean() const { return sum / static_cast<double>(count); }
  };

  double seconds() const {  // the time that is running included
    if (!started_) return stopped_seconds_;
    return stopped_seconds_ + std::chrono::duration<double>(Clock::now() - *started_).count();
  }

  Losses since_evaluation_, last_epoch_;
  std::int64_t skipped_ = 0, skipped_in_a_row_ = 0;
  std::int64_t all_samples_ = 0;                     // the first step included
  std::int64_t samples_ = 0, reported_samples_ = 0;  // without it, as the seconds
  double stopped_seconds_ = 0, reported_seconds_ = 0;
  std::optional<Clock::time_point> started_;
  StepCosts first_step_, reported_;
};

}  // namespace terse::run
