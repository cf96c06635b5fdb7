// Replays the recorded gradients of all workers through one method, without training.
//
//   for each recorded step, in order:
//     every worker encodes its gradient with the recorded seed, round, rate and rank
//     the packets are combined, and every worker decodes the mean
//
// The state of the method is empty before the first step that is replayed, and before the first of
// local steps. If only some tensors are recorded, each contiguous range of them is exchanged as a
// bucket.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "examples/run/records.hpp"
#include "examples/whatif/stage_energy.hpp"

namespace terse::run {

// The gradients of one step. Each holds the recorded tensors one after the other.
struct RecordedGradients {
  RecordedStep step;
  std::vector<std::vector<float>> workers;  // in the order of step.workers
  std::vector<double> mean;                 // of the workers
};
// Throws Error as read_recorded.
RecordedGradients read_gradients(const std::filesystem::path& run, const Records& records,
                                 const RecordedStep& step);

// Undefined values are NaN: an error of a direction without a magnitude, an angle to zero.
struct ReplayedStep {
  std::int64_t step = 0;
  double packet_bytes = 0;    // payload that a worker sends, mean over the workers
  double relative_error = 0;  // |decoded - mean|^2 / |mean|^2, where mean is that of the gradients
  double cosine = 0;          // of decoded and mean
  double sign_agreement = 0;  // share of coordinates with equal signs; zero equals only zero
  Energy energy = {};         // mean over the workers; NaN without magnitudes
  double residual = 0;        // |e| after the step, mean over the workers; NaN without residual
};

// Receives the sealed packets of a replay. `bucket` is -1 if there is one.
using TakePacket =
    std::function<void(std::int64_t step, int worker, int bucket, const Packet& packet)>;

// Writes the packets as train --record does, in a subfolder of `folder` for the method.
TakePacket packet_writer(const std::filesystem::path& folder, const std::string& method);

class Replay {
 public:
  // UsageError for an unknown method.
  Replay(const Records& records, std::string method, TakePacket take_packet = {});

  // UsageError if the method needs tensors that are not recorded.
  void run(const RecordedGradients& gradients);

  const std::string& method() const { return method_; }
  const std::vector<ReplayedStep>& steps() const { return steps_; }
  // The means over the steps in which a value is defined; `step` and `residual` of the last.
  ReplayedStep mean() const;
  std::int64_t values() const { return values_; }

 private:
  struct Bucket {
    std::size_t tensor = 0, tensors = 0;  // among the recorded ones
    std::int64_t first = 0, count = 0;    // coordinates of the model
  };
  struct ReplayedWorker {
    StageEnergy energy;
    std::unique_ptr<Compressor> compressor;
  };

  void cut_into_buckets();
  ReplayedWorker& worker(int number);
  void check_whole(const Traits& traits) const;
  void exchange(const RecordedGradients& gradients, const Bucket& bucket, int number,
                std::span<float> decoded, ReplayedStep& result);
  double residual_of(ReplayedWorker& worker) const;
  void measure(const RecordedGradients& gradients, std::span<const float> decoded,
               ReplayedStep& result);

  const Records& records_;
  std::string method_;
  TakePacket take_packet_;
  std::int64_t values_ = 0;  // recorded values of a worker
  std::vector<Bucket> buckets_;
  bool differences_ = false;  // the latest step has differences of models
  std::map<int, ReplayedWorker> workers_;
  std::vector<ReplayedStep> steps_;
};

}  // namespace terse::run
