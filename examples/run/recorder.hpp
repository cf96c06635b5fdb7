// Stores the gradients and packets of the steps that --record names. records.hpp has the layout.
//
//   in a recorded step, each worker   copies its gradient and its packets while they are encoded
//   after the step                    writes its files
//   when all workers have done so     one of them adds the step to records.json
//
// A recording changes no bit of the run and takes no time of it. Memory: a copy of the gradient and
// the packets of each worker.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "examples/run/config.hpp"
#include "examples/run/record_plan.hpp"
#include "examples/run/records.hpp"
#include "examples/run/step_probe.hpp"
#include "tersegrad/comm/async/async.hpp"
#include "tersegrad/comm/transport/worker.hpp"

namespace terse::run {

// What one worker exchanges in one step, or in one push with topology async.
struct ObservedStep {
  struct Bucket {
    std::int64_t first = 0, count = 0;
    std::vector<Packet> packets;  // by phase
  };
  Round round = {};                                            // of the last call
  std::map<std::uint32_t, std::vector<float>> gradients = {};  // by tensor id
  std::map<std::int64_t, Bucket> buckets = {};                 // by first coordinate
};

// Shared by the workers of a process.
class Recorder {
 public:
  // `taken` steps have been taken before a resume, `total` is the number of steps of the run (0:
  // not known). With `processes` each worker has a Recorder in its own process; `first`: the
  // process of worker 0, which prints the plan and writes records.json. UsageError as
  // plan_records, and if the folder holds other tensors.
  struct Options {
    std::int64_t taken = 0, total = 0;
    bool processes = false, first = true;
  };
  Recorder(const RunConfig& config, const ParameterBuffer& parameters, const Options& options);

  const RecordPlan& plan() const { return plan_; }
  bool wants(std::int64_t step) const { return has_step(request_.steps, step); }
  // Copies what --record has chosen.
  void add_gradient(ObservedStep& to, const Round& round, std::span<const GradView> grads) const;
  void add_packet(ObservedStep& to, const Round& round, std::span<const GradView> shape,
                  const Packet& up) const;

  // Called by every worker after a recorded step, with its number at the start of the run.
  void write(Worker& me, int worker, std::int64_t step, const ObservedStep& observed);
  // The same with topology async, for the worker's own step.
  void write_alone(int worker, std::int64_t step, const ObservedStep& observed);

  // At the end of the run: a note if nothing has been recorded.
  void finish() const;

 private:
  void set_header(const RunConfig& config, const ParameterBuffer& parameters);
  void resume(std::int64_t taken, bool drops_later);
  RecordedStep write_files(int worker, std::int64_t step, const ObservedStep& observed) const;
  void publish(RecordedStep step);
  void write_manifest() const;

  const RunConfig& config_;
  std::filesystem::path run_;
  RecordRequest request_;
  RecordPlan plan_;
  bool processes_, first_;
  std::mutex mutex_;
  std::map<std::int64_t, RecordedStep> pending_;  // steps that some workers have not written yet
  Records records_;
};

// A worker's probe. `worker` is its number at the start of the run.
std::unique_ptr<StepProbe> make_recording_probe(Recorder& recorder, Worker& me, int worker);

// Records a push of topology async.
void record_push(Recorder& recorder, const EncodedPush& push);

}  // namespace terse::run
