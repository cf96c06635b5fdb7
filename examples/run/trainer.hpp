// The synchronous trainer: one worker of a run. training.cpp is the life of a run from start to end,
// trainer_state.cpp what a checkpoint saves of it.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "examples/run/all_workers.hpp"
#include "examples/run/evaluator.hpp"
#include "examples/run/measurements.hpp"
#include "examples/run/recorder.hpp"
#include "examples/run/state_collector.hpp"
#include "examples/run/statistics.hpp"
#include "examples/run/step_plan.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/training/local_sgd.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse::run {

// All workers of a process share one Run. The plans are made before the workers start and are only
// read afterwards. Worker 0 writes the result.
struct Run {
  const RunConfig& config;
  const Dataset& data;
  const Listener& listener;
  TopologyPlan plan, plain_plan;  // plain: the same topology for `none`
  // The topology for local SGD, which exchanges model differences instead of gradients.
  TopologyPlan local_plan;
  const Checkpoint* resume;  // may be null
  StateCollector collector;
  std::unique_ptr<Recorder> recorder;  // --record
  std::atomic<bool> ended = false;     // by a signal, before its last step
  RunResult result = {};
};

// One worker of a run.
class Trainer {
 public:
  Trainer(Run& run, Worker& me);
  void train();

 private:
  void train_step();
  bool update(float lr);
  void make_local();
  void report_step();
  void record_step(double loss, bool taken);
  void report();
  void drop(const DroppedWorker& dropped);
  void measure_density();
  void evaluate();
  std::vector<std::span<float>> differing_tensors();
  void print_warnings();
  void measure_uncompressed();
  void finish();
  Measurements measurements();
  void request_end();
  bool end_requested() const;
  void save(bool last);
  void resume();
  void serialize(Archive& archive);
  StepProbes make_probes();
  DistributedOptimizer::Options optimizer_options();

  // Whether the training data of a worker that leaves belong to no other worker.
  bool loses_labels() const {
    return config_.partition.starts_with("by-label") || config_.partition.starts_with("by-class");
  }
  std::optional<double> virtual_seconds() const {
    const auto* clock = me_.virtual_clock();
    return clock ? std::optional(clock->now() - virtual_start_) : std::nullopt;
  }
  StepCosts costs() const {
    return {.times = me_.times(),
            .virtual_times = me_.virtual_times(),
            .hidden_seconds = hidden_before_ + optimizer_.hidden_seconds()};
  }
  std::string scope() const { return fmt::format("worker.{}", rank_at_start_); }

  Run& run_;
  const RunConfig& config_;
  Worker& me_;
  int rank_at_start_;
  AllWorkers all_workers_;
  Evaluator evaluator_;
  std::unique_ptr<Task> task_;
  StepPlan plan_;
  ParameterBuffer parameters_;
  std::vector<ParameterBuffer::Named> buffers_;
  std::unique_ptr<UpdateRule> rule_;
  StepProbes probes_;
  DistributedOptimizer optimizer_;
  std::optional<LocalSgd> local_;          // made in the first local step
  std::unique_ptr<DensityProbe> density_;  // --measure density

  RunStatistics statistics_;
  std::int64_t step_ = 0;
  double loss_ = 0, lr_ = 0;           // of the latest step
  std::uint64_t message_bytes_ = 0;    // of the latest exchange
  bool repartition_training_ = false;  // at the next epoch, because workers have left
  std::uint64_t uncompressed_ = 0;     // bytes that `none` would send per step
  double virtual_start_ = 0;
  double hidden_before_ = 0;  // hidden seconds before the run was resumed
};

}  // namespace terse::run
