#include "examples/run/statistics.hpp"

#include <utility>

namespace terse::run {

void RunStatistics::add_loss(double loss, bool in_last_epoch) {
  skipped_in_a_row_ = 0;
  since_evaluation_.sum += loss;
  ++since_evaluation_.count;
  if (!in_last_epoch) return;
  last_epoch_.sum += loss;
  ++last_epoch_.count;
}

double RunStatistics::take_loss() {
  return std::exchange(since_evaluation_, {}).mean();
}

void RunStatistics::stop_clock() {
  stopped_seconds_ = seconds();
  started_.reset();
}

double RunStatistics::seconds() const {
  if (!started_) return stopped_seconds_;
  return stopped_seconds_ + std::chrono::duration<double>(Clock::now() - *started_).count();
}

double RunStatistics::samples_per_second() const {
  const double time = seconds();
  return time > 0 ? static_cast<double>(samples_) / time : 0;
}

void RunStatistics::exclude_first_step(const StepCosts& costs_so_far) {
  first_step_ = costs_so_far;
  samples_ = 0;
  stopped_seconds_ = 0;
  if (started_) started_ = Clock::now();
}

RunStatistics::Interval RunStatistics::take_interval(const StepCosts& total) {
  const double now = seconds(), time = now - reported_seconds_;
  const auto samples = static_cast<double>(samples_ - reported_samples_);
  reported_seconds_ = now;
  reported_samples_ = samples_;
  return {.costs = total - std::exchange(reported_, total),
          .samples_per_second = time > 0 ? samples / time : 0};
}

}  // namespace terse::run
