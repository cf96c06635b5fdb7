// Local SGD: every worker steps by itself, and now and then the models meet.
//
//   a = the model where the workers last met, on all of them the same
//   worker w:    `every` times:  x = x - step(own gradient)          the inner rule, nothing is
//   sent together:    d = mean over workers of (a - x_w)                   by any compressor and
//   topology
//                a = a - outer step(d);   x = a
//
// The outer rule `sgd` with rate 1 makes a the mean of the models: local SGD. Nesterov momentum in
// its place is DiLoCo's: d is taken for a gradient. Every worker's inner rule keeps its own state.
// What the compressor says is a difference of models, so error feedback hands on what was left
// unsaid as ever; a compressor without magnitudes (Traits::scale_free) says nothing here.
//
// every = 1 with an inner rule that is linear in the gradient, as momentum is, is synchronous SGD
// but for rounding: the differences are those of rounded models, so each step may add a unit in
// the last place of each parameter.
//
// Cost: an exchange's bytes every `every` steps, and none between; three floats a parameter besides
// the two rules'. Source: Stich, arXiv 1805.09767; Lin et al., arXiv 1808.07217 (first synchronous,
// then local: use DistributedOptimizer for the first steps); Douillard et al., arXiv 2311.08105
// (DiLoCo); compressed differences: Basu et al., arXiv 1906.02367.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/core/buffer.hpp"

namespace terse {

class LocalSgd {
 public:
  struct Options {
    std::uint64_t every = 1;  // steps from meeting to meeting, at least 1
    float outer_lr = 1;
    std::uint64_t seed = 0;
    NonFinite non_finite = NonFinite::abort;  // decided by each worker for itself
  };

  // The parameters are the same on all workers. They and the inner rule must outlive this.
  LocalSgd(Worker& me, ParameterBuffer& parameters, UpdateRule& inner,
           std::unique_ptr<UpdateRule> outer, std::unique_ptr<Compressor> compressor,
           std::unique_ptr<Topology> topology, const Options& options);

  // False: this worker has skipped the step; it counts all the same, and all meet together.
  bool step(float lr);
  // All workers together: the models meet now, unless they have just met.
  void meet();

  std::uint64_t meetings() const { return meetings_; }
  std::size_t message_bytes() const { return topology_->message_bytes(); }  // of a meeting

  // All that decides how this worker goes on.
  void serialize(Archive& archive);
  std::uint64_t state_hash();

 private:
  bool gradient_is_usable();

  Worker& me_;
  ParameterBuffer& parameters_;
  UpdateRule& inner_;
  std::unique_ptr<UpdateRule> outer_;
  std::unique_ptr<Compressor> compressor_;
  std::unique_ptr<Topology> topology_;
  Options options_;
  std::uint64_t steps_ = 0, since_ = 0, meetings_ = 0;  // since_: steps since the last meeting
  Buffer<float> met_, moved_;                           // a, and a - x, which becomes d
  std::vector<GradView> gradients_, moved_views_;
};

}  // namespace terse
