// What a run counts while it trains: losses, skipped steps, samples and the time that they took.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {

// Running totals of one worker; the difference of two totals belongs to the steps between them.
struct StepCosts {
  PartTimes times = {}, virtual_times = {};
  double hidden_seconds = 0;  // see RunResult

  void serialize(Archive& archive, std::string_view name) {
    const auto scope = archive.scope(name);
    virtual_times.serialize(archive, "virtual_times");
    const auto measured = archive.scope("time");
    times.serialize(archive, "parts");
    archive.item("hidden_seconds", hidden_seconds);
  }
};
inline StepCosts operator-(const StepCosts& later, const StepCosts& earlier) {
  return {.times = later.times - earlier.times,
          .virtual_times = later.virtual_times - earlier.virtual_times,
          .hidden_seconds = later.hidden_seconds - earlier.hidden_seconds};
}

class RunStatistics {
 public:
  // Losses of the steps that were taken. A mean of none is NaN.
  void add_loss(double loss, std::int64_t step, std::int64_t steps_per_epoch) {
    skipped_in_a_row_ = 0;
    since_evaluation_.add(loss);
    last_epoch_.push_back({step, loss});
    while (last_epoch_.front().step <= step - steps_per_epoch) last_epoch_.pop_front();
  }
  double take_loss() { return std::exchange(since_evaluation_, {}).mean(); }
  // Over the epoch that ends with the latest step. A run that ends later than it was meant to, when
  // it resumes, has another last epoch, so the losses are kept.
  double last_epoch_loss() const {
    Losses losses;
    for (const auto& each : last_epoch_) losses.add(each.loss);
    return losses.mean();
  }

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
  bool clock_runs() const { return started_.has_value(); }
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
    double seconds = 0;  // of the clock, so far
  };
  // While the clock does not run. Measured times are in the scope "time".
  void serialize(Archive& archive) {
    since_evaluation_.serialize(archive, "losses.since_evaluation");
    serialize_last_epoch(archive);
    archive.item("skipped", skipped_);
    archive.item("skipped_in_a_row", skipped_in_a_row_);
    archive.item("all_samples", all_samples_);
    archive.item("samples", samples_);
    archive.item("reported_samples", reported_samples_);
    first_step_.serialize(archive, "first_step");
    reported_.serialize(archive, "reported");
    const auto scope = archive.scope("time");
    archive.item("stopped_seconds", stopped_seconds_);
    archive.item("reported_seconds", reported_seconds_);
  }

  Interval take_interval(const StepCosts& total = {}) {
    const double now = seconds(), time = now - std::exchange(reported_seconds_, now);
    const auto samples = samples_ - std::exchange(reported_samples_, samples_);
    return {.costs = total - std::exchange(reported_, total),
            .samples_per_second = time > 0 ? static_cast<double>(samples) / time : 0,
            .seconds = now};
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct Losses {
    double sum = 0;
    std::int64_t count = 0;
    void add(double loss) { sum += loss, ++count; }
    double mean() const { return sum / static_cast<double>(count); }
    void serialize(Archive& archive, std::string_view name) {
      const auto scope = archive.scope(name);
      archive.item("sum", sum);
      archive.item("count", count);
    }
  };

  struct StepLoss {
    std::int64_t step = 0;
    double loss = 0;
  };

  void serialize_last_epoch(Archive& archive) {
    std::vector<std::int64_t> steps;
    std::vector<double> losses;
    for (const auto& [step, loss] : last_epoch_) steps.push_back(step), losses.push_back(loss);
    const auto scope = archive.scope("losses.last_epoch");
    archive.item("steps", steps);
    archive.item("losses", losses);
    if (!archive.loading()) return;
    check(steps.size() == losses.size(), "losses: expected one for each step; got {} for {} steps",
          losses.size(), steps.size());
    last_epoch_.clear();
    for (std::size_t i = 0; i < steps.size(); ++i) last_epoch_.push_back({steps[i], losses[i]});
  }

  double seconds() const {  // the time that is running included
    if (!started_) return stopped_seconds_;
    return stopped_seconds_ + std::chrono::duration<double>(Clock::now() - *started_).count();
  }

  Losses since_evaluation_;
  std::deque<StepLoss> last_epoch_;
  std::int64_t skipped_ = 0, skipped_in_a_row_ = 0;
  std::int64_t all_samples_ = 0;                     // the first step included
  std::int64_t samples_ = 0, reported_samples_ = 0;  // without it, as the seconds
  double stopped_seconds_ = 0, reported_seconds_ = 0;
  std::optional<Clock::time_point> started_;
  StepCosts first_step_, reported_;
};

}  // namespace terse::run
