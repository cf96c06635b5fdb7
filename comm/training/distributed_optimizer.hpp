// The optimizer of a worker: step() and zero_grad(), and behind them all the others.
//
// A step:
//   1. Agree: every worker tells all others how many values of its gradient are not finite (one
//      8-byte control message to each). All decide the same, before any state changes; workers at
//      different steps find out here. So does everybody who does not answer any more: with `rejoin`
//      the others go on without it, in a smaller topology, after they have made sure that all of
//      them mean the same ones (failure.hpp).
//   2. Encode, exchange: the Topology makes the mean gradient of all workers.
//   3. Update the parameters with it, the same on every worker; decode it piece by piece, where the
//      update wants it.
//
// With buckets, 1 and 2 are done for one bucket after the other while backward goes on
// (overlap.hpp). A gradient that is not finite is found before its bucket is sent, and no step is
// taken with it. The means of the buckets are written to the memory of the gradients, and the
// update follows after the last bucket.
//
// After a step the model's flat gradients are no longer this worker's own: they hold sums, or what
// the compressor has decoded. Phases are timed on the Worker.
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
    // How those who are left meet again; none: the loss of a worker ends the run. With it goes the
    // policy drop_worker.
    std::function<std::unique_ptr<Topology>(Worker&)> rejoin = {};
    // Called by the first of those who are left.
    std::function<void(const DroppedWorker&)> on_drop = {};
    double bucket_bytes = 0;  // 0: one exchange, after backward
    double compute = 0;       // declared seconds of forward and backward, in virtual time
  };

  struct Counts {
    std::uint64_t steps = 0;          // taken
    std::uint64_t skipped_steps = 0;  // skip_step
    std::uint64_t zeroed_values = 0;  // zero: on all workers together
  };

  // The model's parameters and the rule that updates them; both must outlive the optimizer.
  DistributedOptimizer(Worker& me, ParameterBuffer& parameters, UpdateRule& rule,
                       std::unique_ptr<Compressor> compressor, std::unique_ptr<Topology> topology,
                       const Options& options);

  // objective.backward(), and the declared seconds pass. With buckets, those that are complete are
  // sent: this must then be the step's last backward call, and leave the Worker to them. `lr` is
  // the coming step's.
  void backward(const Tensor& objective, float lr);
  // All workers together. False: the step was skipped, on every worker.
  bool step(float lr);
  void zero_grad();

  const Counts& counts() const { return counts_; }
  const Compressor& compressor() const { return *compressor_; }
  // Of the last step; see Topology.
  std::size_t message_bytes() const { return message_bytes_; }
  std::size_t buckets() const { return overlap_ ? overlap_->buckets().size() : 1; }
  double hidden_seconds() const { return overlap_ ? overlap_->hidden_seconds() : 0; }

  // All that decides how this worker goes on: counts, the compressor's state, that of the update
  // rule, and the parameters.
  void serialize(Archive& archive);
  // Equal for equal states.
  std::uint64_t state_hash();

 private:
  void begin(float lr);
  // The mean gradient of these tensors, and without buckets the update with it; false: skip the
  // step.
  bool exchange(const Bucket& bucket);
  // words_ = what each worker has found; who does not answer is left out from now on.
  void hear_all(std::uint64_t word);
  // Acts on non-finite values of any worker; false: skip the step.
  bool agree_on_finite(std::span<const GradView> gradients);
  // Puts out all workers with such values.
  void drop_non_finite(const Finding& own);
  // `gone`: by present rank, ascending.
  void go_on_without(const std::vector<DroppedWorker>& gone);
  std::string name_of(const Finding& finding) const;  // of its tensor, which a peer has said

  Worker& me_;
  ParameterBuffer& parameters_;
  UpdateRule& rule_;
  std::span<const float> mean_;  // with buckets: their means, in the memory of the gradients
  std::vector<GradView> gradients_;
  std::unique_ptr<Compressor> compressor_;
  std::unique_ptr<Topology> topology_;
  Options options_;
  ValueAttack attack_;
  Counts counts_;
  Collectives collectives_;
  std::vector<std::uint64_t> words_;  // what the workers said in step 1
  std::vector<int> first_ranks_;      // of the workers that are left
  std::optional<float> lr_;           // of the step that has begun
  std::size_t message_bytes_ = 0;
  std::optional<Overlap> overlap_;  // the last member: its thread uses the others
};

}  // namespace terse
