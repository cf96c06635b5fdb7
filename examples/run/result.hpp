// The result of a training run: evaluations, losses, bytes and times.
#pragma once

#include <cmath>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "examples/run/config.hpp"
#include "examples/run/density_probe.hpp"
#include "tersegrad/comm/async/async.hpp"
#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/comm/transport/failure.hpp"

namespace terse::run {

// Images: the share that is classified correctly. Text: exp of the mean loss per token.
enum class Metric { accuracy, perplexity };

// One evaluation on the split that --evaluate names.
struct Evaluation {
  std::int64_t step = 0;  // steps taken before it
  double epoch = 0;       // the same in epochs
  double train_loss = 0;  // mean over the steps since the previous evaluation
  Split split = Split::test;
  Metric metric = Metric::accuracy;
  double loss = 0;                          // mean over the split
  double accuracy = 0;                      // in [0, 1]; images only
  std::uint64_t bytes_sent_per_worker = 0;  // since the start, mean over workers

  std::optional<double> virtual_seconds = std::nullopt;  // see RunResult

  // Percent correct, or perplexity.
  double score() const { return metric == Metric::accuracy ? 100 * accuracy : std::exp(loss); }
};

struct RunResult {
  std::vector<Evaluation> evaluations;   // the last one is the run's result
  std::vector<DroppedWorker> dropped;    // workers that left; the others continued
  std::vector<DensityReport> densities;  // --measure density: of worker 0's share, each epoch
  double train_loss = 0;   // mean over the last epoch, or over all steps if there is less than one;
                           // without skipped steps
  std::int64_t steps = 0;  // skipped steps included
  std::int64_t skipped_steps = 0;  // steps that changed nothing; of the worker that skipped most
  std::int64_t steps_per_epoch = 0;
  std::int64_t parameters = 0;
  bool finite = true;                     // the last evaluation's loss and every parameter
  std::int64_t samples = 0;               // of all workers and steps
  std::uint64_t message_bytes = 0;        // payload of one worker's packets in a step
  double bytes_sent_per_worker = 0;       // by its endpoint during the run, mean over workers
  std::vector<std::uint64_t> bytes_sent;  // the same by worker, of the workers at the end
  double payload_sent_per_worker = 0;     // bytes_sent_per_worker without headers; synchronous runs
  double bytes_uncompressed = 0;          // the same for `none`: one such exchange, counted, times
                                          // the steps that were sent
  double seconds = 0;                     // wall clock, loading and evaluation included
  double samples_per_second = 0;  // without loading, evaluation and the first of several steps
  PartTimes step_times;           // seconds per step, mean over workers, without the first step
  std::int64_t buckets = 1;       // in which the gradients are exchanged
  double hidden_seconds = 0;      // per step, of the exchange that overlaps with backward; virtual
                                  // if time is. Phases minus this are the time of a step
  // In a modelled network: the time until the last worker has ended, of the training loop alone,
  // and the two values above in virtual time.
  std::optional<double> virtual_seconds;
  double samples_per_virtual_second = 0;
  PartTimes virtual_step_times;
  std::uint64_t model_hash = 0;      // of the parameters
  std::uint64_t state_hash = 0;      // of parameters, optimizer and compressor, all workers
  std::optional<AsyncResult> async;  // topology async

  // What a run that resumes must know of its past: the evaluations, the workers that left, and the
  // densities.
  void serialize_past(Archive& archive, Split split, Metric metric);
};

// NonFiniteGradient if the model has diverged at the end of the run.
void check_finite(const RunResult& result);

// "test" or "validation", as texts for people name the split.
const char* split_text(Split split);
// The keys of an evaluation's values: "test_loss" or "valid_loss", "test_accuracy" or
// "valid_accuracy".
std::string loss_key(Split split);
std::string accuracy_key(Split split);
// The split of an evaluation's line in log.jsonl. None: the line is no evaluation.
std::optional<Split> evaluation_split(const nlohmann::json& line);

// The keys are an interface: other tools read them.
nlohmann::json to_json(const RunResult& result, const RunConfig& config);
nlohmann::json to_json(const Evaluation& evaluation);
nlohmann::json to_json(const DroppedWorker& dropped);

}  // namespace terse::run
