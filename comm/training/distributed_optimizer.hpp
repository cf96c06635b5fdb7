// The optimizer of one of several synchronous workers. It has the interface of a local optimizer,
// step() and zero_grad(); step() averages the gradients of all workers.
//
// A step:
//   1. Agree: every worker sends every other worker an 8-byte control message: the number of
//      infinite or NaN values in its gradient, the tensor of the first, and whether it asks for an
//      end. All workers make the same decision by the policy, before any state changes; the default
//      policy is that all throw the same error. This exchange also detects workers at different
//      steps, and workers that have died. With `make_smaller_topology` the others continue without
//      a dead worker, in a smaller topology, after they have checked that all of them agree on the
//      remaining workers (failure.hpp). Control messages are counted separately.
//   2. Encode, exchange: the Topology makes the mean gradient of all workers.
//   3. Update the parameters with the mean, the same on every worker. The update decodes the mean
//      block by block if the compressor can.
//
// With buckets, steps 1 and 2 are done bucket by bucket while backward runs (overlap.hpp). A
// non-finite gradient is found before its bucket is sent, and no step is taken with it. The means
// of the buckets are written to the memory of the gradients, and the update follows the last
// bucket.
//
// After a step the model's flat gradients may hold other values than this worker's gradient, namely
// sums or reconstructions. The parts of a step are timed on the Worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/faults/attack.hpp"
#include "tersegrad/comm/setup/model_setup.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/comm/training/overlap.hpp"
#include "tersegrad/comm/transport/failure.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse {

class DistributedOptimizer {
 public:
  struct Options {
    std::uint64_t seed = 0;
    NonFinite non_finite = NonFinite::abort;
    Attack attack = {};
    // Makes the topology of the remaining workers after one has left. If it is empty, the loss of a
    // worker ends the run. The policy drop_worker requires it.
    std::function<std::unique_ptr<Topology>(Worker&)> make_smaller_topology = {};
    // Called once per worker that has left, by the remaining worker with rank 0.
    std::function<void(const DroppedWorker&)> on_drop = {};
    double bucket_bytes = 0;  // bytes of a bucket; 0: one exchange, after backward
    double compute = 0;       // declared seconds of forward and backward, in virtual time
  };

  struct Counts {
    std::uint64_t steps = 0;          // steps taken
    std::uint64_t skipped_steps = 0;  // policy skip_step
    std::uint64_t zeroed_values = 0;  // policy zero: on all workers together
  };

  // `parameters` and `rule`, which updates them, must outlive the optimizer. Throws UsageError for
  // options that do not fit together.
  DistributedOptimizer(Worker& me, ParameterBuffer& parameters, UpdateRule& rule,
                       std::unique_ptr<Compressor> compressor, std::unique_ptr<Topology> topology,
                       const Options& options);

  // Calls objective.backward() and spends the declared seconds of compute. With buckets it also
  // starts to send each bucket when it is complete. It must then be called once a step, as the last
  // backward call, and until step() returns the caller must not use the Worker except its time().
  // `lr` is the rate of the coming step.
  void backward(const Tensor& objective, float lr);
  // Called by all workers. Returns false if the step was skipped, which all workers then do. Throws
  // NonFiniteGradient or WorkerDropped by the policies, and Error if `lr` is not that of backward.
  bool step(float lr);
  void zero_grad();

  // Asks all workers to end the run together: after the next step that they take or skip,
  // end_requested() is true on all of them. Not to be called between backward() and step().
  void request_end() { requests_end_ = true; }
  bool end_requested() const { return end_requested_; }

  const Counts& counts() const { return counts_; }
  const Compressor& compressor() const { return *compressor_; }
  // Payload bytes of the packets that this worker encoded in the last step.
  std::size_t message_bytes() const { return message_bytes_; }
  std::size_t buckets() const { return overlap_ ? overlap_->buckets().size() : 1; }
  // Seconds of exchange before the end of backward, over all steps (overlap.hpp).
  double hidden_seconds() const { return overlap_ ? overlap_->hidden_seconds() : 0; }

  // The whole state of this worker: the counts, the state of the attack, of the compressor and of
  // the update rule, and the parameters.
  void serialize(Archive& archive);
  // Which workers remain. Loading restricts the run to them, so all of them, and no others, must
  // load before they exchange messages.
  void serialize_workers(Archive& archive);
  // The hash of that state.
  std::uint64_t state_hash();

 private:
  void begin(float lr);
  // Exchanges the gradients of these tensors. Without buckets, also updates the parameters. Returns
  // false if the step is to be skipped.
  bool exchange(const Bucket& bucket);
  // Sends `packed` and requests_end_ to all workers: packed_counts_[w] = that of worker w, and
  // end_requested_ tells whether any worker requests the end. Continues without the workers that
  // have died.
  void agree_on_step(std::uint64_t packed);
  // Exchanges the counts of non-finite values and applies the policy. Returns false if the step is
  // to be skipped.
  bool agree_on_finite(std::span<const GradView> gradients);
  // Evicts all workers with non-finite values. Throws WorkerDropped if this worker is one of them.
  void drop_non_finite(const NonFiniteCount& own);
  // Removes the workers `gone`, given by their present ranks in ascending order.
  void continue_without(const std::vector<DroppedWorker>& gone);
  // The name of the count's tensor. The id may come from a peer, so it is checked.
  std::string name_of(const NonFiniteCount& bad) const;

  Worker& me_;
  ParameterBuffer& parameters_;
  UpdateRule& rule_;
  std::span<const float> mean_;  // with buckets: the mean gradient, in the memory of the gradients
  std::vector<GradView> gradients_;
  std::unique_ptr<Compressor> compressor_;
  std::unique_ptr<Topology> topology_;
  Options options_;
  ValueAttack attack_;
  Counts counts_;
  Collectives collectives_;
  std::vector<std::uint64_t> packed_counts_;  // by worker: its NonFiniteCount, packed
  bool requests_end_ = false, end_requested_ = false;
  std::vector<int> original_ranks_;  // by remaining worker: its rank at the start of the run
  std::optional<float> lr_;          // the rate of the step that has begun
  std::size_t message_bytes_ = 0;
  std::optional<Overlap> overlap_;  // the last member, because its thread uses the others
};

}  // namespace terse
