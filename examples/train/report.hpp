// The output of train: progress, log.jsonl, checkpoints and the summary.
#pragma once

#include <optional>
#include <vector>

#include "examples/run/config.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/result.hpp"
#include "examples/run/training.hpp"
#include "examples/train/resume.hpp"
#include "tersegrad/inspect/run_folder.hpp"
#include "tersegrad/inspect/tensorboard.hpp"

namespace terse::run {

// Shows the progress of a run on standard error and, with --out, records it in its folder.
class RunReporter {
 public:
  // `records`: false if another process records the run. `tensorboard`: also writes an event file.
  // `past`: what the run continues, or null.
  RunReporter(const RunLabel& label, bool records, bool tensorboard, const Continuation* past);

  Listener listener();  // the reporter must outlive the run
  void log(const nlohmann::json& line) {
    if (folder_) folder_->log(line);
  }
  void finish();  // after a run that succeeded
  // What --measure health and --check-laws have found.
  void print_probes() const;

 private:
  void save(const RunState& state);
  EventFile* events();  // nullptr without --tensorboard

  const RunLabel& label_;
  std::optional<RunFolder> folder_;
  bool tensorboard_;
  std::optional<EventFile> events_;  // made with the first event
  std::optional<HealthReport> last_health_;
  std::int64_t law_checks_ = 0;
  Progress progress_;
};

void print_densities(const std::vector<DensityReport>& reports);
void print_health(const HealthReport& report);  // a row per tensor
void print_summary(const RunConfig& config, const RunResult& result);

}  // namespace terse::run
