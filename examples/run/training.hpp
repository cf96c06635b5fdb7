// Trains the model of a RunConfig, evaluates it, and measures what the run costs.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "examples/run/checkpoint.hpp"
#include "examples/run/config.hpp"
#include "examples/run/density_probe.hpp"
#include "examples/run/result.hpp"
#include "examples/run/task.hpp"
#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/comm/transport/failure.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/inspect/health.hpp"

namespace terse::run {

// The state of a run after `step` steps.
struct StepReport {
  std::int64_t step, total_steps, steps_per_epoch;
  double loss;  // of the latest step, mean over workers (topology async: of that push)
  double lr;
  double samples_per_second;  // since the previous report
  std::uint64_t message_bytes;
  std::uint64_t bytes_sent;                              // by worker 0, so far
  PartTimes times;                                       // of worker 0, since the previous report
  std::optional<double> virtual_seconds = std::nullopt;  // of worker 0, so far
  PartTimes virtual_times = {};                          // of worker 0, since the previous report
  double hidden_seconds = 0;                             // see RunResult; since the previous report
  std::optional<double> mean_staleness = std::nullopt;   // so far, with topology async
  std::int64_t skipped_steps = 0;                        // by worker 0, so far
  double seconds = 0;  // wall clock of the training loop, without the first step
};

// The staleness of an asynchronous run: with --measure health.
struct StalenessReport {
  std::int64_t step = 0;
  std::span<const std::uint64_t> histogram = {};  // of all pushes so far; see StalenessRecord
};

// A push of an asynchronous run. Times are seconds on its clock.
struct PushReport {
  int worker = 0;
  double pulled = 0, pushed = 0;  // its previous push, after which it pulled, and this one
  std::uint64_t staleness = 0;
};

// Callbacks of a run. Worker 0 calls them. If worker 0 leaves, the first of the remaining workers
// becomes worker 0.
struct Listener {
  std::function<void(const StepReport&)> on_step = {};
  std::function<void(const Evaluation&)> on_evaluation = {};
  // The parameters that were evaluated, one by one, after on_evaluation.
  std::function<void(std::int64_t step, const std::string& name, std::span<const float> values)>
      on_weights = {};
  std::function<void(const DensityReport&)> on_density = {};
  std::function<void(const HealthReport&)> on_health = {};
  std::function<void()> on_law_check = {};  // the conservation laws held in a step
  std::function<void(const StalenessReport&)> on_staleness = {};
  std::function<void(const PushReport&)> on_push = {};
  // `data` is a sentence for the user about what happens to the data of the dropped worker.
  std::function<void(const DroppedWorker&, std::string_view data)> on_drop = {};
  // Saves the state of the run: every --checkpoint-every steps, at the end, and when the run is
  // interrupted. If empty, the run is not saved. Called by one worker at a time, not always 0.
  std::function<void(const RunState&)> on_checkpoint = {};
  std::function<std::uint64_t()> log_bytes = {};  // the length of the log, before a checkpoint
};

// `config` has been completed by complete(). Throws the error of any worker, and Interrupted after
// a signal, at a step on which all workers agree. If `me` is null, the workers are threads of this
// process. Otherwise this process is worker `me`, and only worker 0 calls the listener and returns
// the result. With `resume` the run continues from that checkpoint.
RunResult train(const RunConfig& config, const Dataset& data, const Listener& listener,
                Worker* me = nullptr, const Checkpoint* resume = nullptr);
// Calls listener.on_weights, if there is one, for each parameter.
void show_weights(const ParameterBuffer& parameters, std::int64_t step, const Listener& listener);

// Called by `train` for topology async.
RunResult train_async(const RunConfig& config, const Dataset& data, const Listener& listener,
                      Worker* me, const Checkpoint* resume);

}  // namespace terse::run
