// A training run: builds what a RunConfig names, trains, evaluates, and says what it cost.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "examples/run/config.hpp"
#include "examples/run/density_probe.hpp"
#include "examples/run/task.hpp"
#include "tersegrad/comm/async/async.hpp"
#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/comm/transport/failure.hpp"
#include "tersegrad/comm/transport/worker.hpp"

namespace terse::run {

// What a test measures: of images the share that is classified right, of text the exponential of
// the mean loss per token.
enum class Metric { accuracy, perplexity };

// One evaluation on the test set.
struct Evaluation {
  std::int64_t step = 0;  // steps taken before it
  double epoch = 0;       // the same in epochs
  double train_loss = 0;  // mean over the steps since the evaluation before
  Metric metric = Metric::accuracy;
  double test_loss = 0;                     // mean over the test set
  double test_accuracy = 0;                 // in [0, 1]; of images alone
  std::uint64_t bytes_sent_per_worker = 0;  // up to here, mean over workers

  std::optional<double> virtual_seconds = std::nullopt;  // see RunResult

  // In the unit that people read: percent right, or perplexity.
  double score() const {
    return metric == Metric::accuracy ? 100 * test_accuracy : std::exp(test_loss);
  }
};

struct RunResult {
  std::vector<Evaluation> evaluations;   // the last one is the run's result
  std::vector<DroppedWorker> dropped;    // whom the others went on without
  std::vector<DensityReport> densities;  // with --measure density: of worker 0's share, each epoch
  double train_loss = 0;   // mean over the last epoch, or over all steps if there is less than one;
                           // without skipped steps
  std::int64_t steps = 0;  // skipped ones included
  std::int64_t skipped_steps = 0;  // that changed nothing; of the worker that skipped most
  std::int64_t steps_per_epoch = 0;
  std::int64_t parameters = 0;
  bool finite = true;                     // the last test loss and every parameter
  std::int64_t samples = 0;               // of all workers and steps
  std::uint64_t message_bytes = 0;        // payload of one worker's packets in a step
  double bytes_sent_per_worker = 0;       // what its endpoint sent in the run, mean over workers
  std::vector<std::uint64_t> bytes_sent;  // the same, worker by worker, of those at the end
  double bytes_uncompressed = 0;          // the same for `none`: one such exchange, counted, times
                                          // the steps that were sent
  double seconds = 0;                     // wall clock, loading and evaluation included
  double samples_per_second = 0;  // without loading, evaluation and the first of several steps
  PhaseTimes step_times;          // seconds per step, mean over workers, first step apart
  std::int64_t buckets = 1;       // in which the gradients travel
  double hidden_seconds = 0;  // of the exchange behind backward, a step, virtual if time is; so the
                              // phases add up to the time of a step and this
  // In a modelled network: until the last worker has ended, of the training loop alone, and what
  // the others say in its terms.
  std::optional<double> virtual_seconds;
  double samples_per_virtual_second = 0;
  PhaseTimes virtual_step_times;
  std::uint64_t model_hash = 0;      // of the parameters
  std::uint64_t state_hash = 0;      // of parameters, optimizer and compressor, all workers
  std::optional<AsyncResult> async;  // with topology async
};

// What a run tells while it goes on. Called by worker 0: the first of those that are left.
struct StepReport {
  std::int64_t step, total_steps, steps_per_epoch;  // `step` steps have been taken
  double loss;                                      // of the last step, mean over workers
  double lr;
  double samples_per_second;  // since the last report
  std::uint64_t message_bytes;
  std::uint64_t bytes_sent;                              // by worker 0, so far
  PhaseTimes times;                                      // of worker 0, since the last report
  std::optional<double> virtual_seconds = std::nullopt;  // of worker 0, so far
  PhaseTimes virtual_times = {};                         // likewise, since the last report
  double hidden_seconds = 0;                             // see RunResult; since the last report
  std::optional<double> mean_staleness = std::nullopt;   // so far, with topology async
  std::int64_t skipped_steps = 0;                        // by worker 0, so far
};
struct Listener {
  std::function<void(const StepReport&)> on_step = {};
  std::function<void(const Evaluation&)> on_evaluation = {};
  std::function<void(const DensityReport&)> on_density = {};
  // `data`: what becomes of the worker's data, for people.
  std::function<void(const DroppedWorker&, std::string_view data)> on_drop = {};
};

inline constexpr std::int64_t kReportEvery = 25;  // steps between reports

// `config` is complete. Throws what goes wrong on any worker. Starts the workers as threads, or
// plays the part of the one that it is given: then worker 0 alone hears and knows the result.
RunResult train(const RunConfig& config, const Dataset& data, const Listener& listener,
                Worker* me = nullptr);
// What `train` does with topology async.
RunResult train_async(const RunConfig& config, const Dataset& data, const Listener& listener,
                      Worker* me = nullptr);

// NonFiniteGradient if the run has ended with a model that has diverged.
void check_finite(const RunResult& result);

Metric metric_of(const Dataset& data);

// The keys that other tools read, and what else is known.
nlohmann::json to_json(const RunResult& result, const RunConfig& config);
nlohmann::json to_json(const Evaluation& evaluation);
nlohmann::json to_json(const DroppedWorker& dropped);

}  // namespace terse::run
