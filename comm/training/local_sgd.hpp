// Local SGD: every worker steps by itself; the models are averaged every `every` steps.
//
//   a = the model after the last averaging, the same on all workers
//   worker w:    `every` times:  x_w = x_w - step(own gradient)     inner rule; nothing is sent
//   together:    d = mean over workers of (a - x_w)                 any compressor and topology
//                a = a - outer step(d);   x_w = a
//
// With the outer rule `sgd` and rate 1, a becomes the mean of the models: local SGD. With Nesterov
// momentum as the outer rule it is DiLoCo: d takes the place of a gradient. The state of the inner
// rule is not averaged. The compressor encodes a difference of models, and error feedback works as
// for gradients. Compressors without magnitudes (Traits::scale_free) are refused.
//
// With every = 1 and an inner rule that is linear in the gradient, such as momentum, it is
// synchronous SGD up to rounding: the differences are those of rounded models, so each step may add
// an error of one unit in the last place of each parameter.
//
// Cost: the bytes of one exchange, and a control message to every other worker, every `every`
// steps; two floats per parameter (a and d) and the states of the two rules and of the compressor.
// Source: Stich, arXiv 1805.09767; Lin et al., arXiv 1808.07217 (first synchronous, then local: use
// DistributedOptimizer for the first steps); Douillard et al., arXiv 2311.08105 (DiLoCo);
// compressed differences: Basu et al., arXiv 1906.02367.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/core/buffer.hpp"

namespace terse {

class LocalSgd {
 public:
  struct Options {
    std::uint64_t every = 1;  // steps between two averagings, at least 1
    float outer_lr = 1;
    std::uint64_t seed = 0;
    NonFinite non_finite = NonFinite::abort;  // applied by each worker alone; not drop_worker
  };

  // The parameters must have the same values on all workers. They and the inner rule must outlive
  // this object. Throws UsageError for options that do not fit together or the compressor.
  LocalSgd(Worker& me, ParameterBuffer& parameters, UpdateRule& inner,
           std::unique_ptr<UpdateRule> outer, std::unique_ptr<Compressor> compressor,
           std::unique_ptr<Topology> topology, const Options& options);

  // One inner step, and every `every` steps an averaging with all workers. Returns false if this
  // worker has skipped the update; the step still counts, so all workers average at the same time.
  // Throws NonFiniteGradient by the policy.
  bool step(float lr);
  // Averages the models now, unless there was no step since the last averaging. Called by all
  // workers.
  void average_models();
  // Asks all workers to end the run together: after the next averaging, end_requested() is true on
  // all of them. Without other workers it is true at once.
  void request_end() { requests_end_ = true; }
  bool end_requested() const { return end_requested_ || (requests_end_ && me_.size() == 1); }

  std::uint64_t meetings() const { return averagings_; }  // number of averagings
  // Payload bytes of the packets that this worker encoded in the last averaging.
  std::size_t message_bytes() const { return topology_->message_bytes(); }

  // The whole state of this worker.
  void serialize(Archive& archive);
  std::uint64_t state_hash();

 private:
  bool gradient_is_usable();
  void agree_on_end();

  Worker& me_;
  ParameterBuffer& parameters_;
  UpdateRule& inner_;
  std::unique_ptr<UpdateRule> outer_;
  std::unique_ptr<Compressor> compressor_;
  std::unique_ptr<Topology> topology_;
  Options options_;
  std::uint64_t steps_ = 0, since_ = 0, averagings_ = 0;  // since_: steps since the last averaging
  Buffer<float> met_, moved_;                             // a, and a - x, which becomes d
  std::vector<GradView> gradients_, moved_views_;
  Collectives collectives_;
  bool requests_end_ = false, end_requested_ = false;
};

}  // namespace terse
