// The conservation law of stages that keep what they do not send: no part of a gradient is lost.
//
//   worker:  sent + kept after the step = kept before it + the input
//   server:  mean + kept after the step = kept before it + mean of what the workers sent
//
// `sent` is the reconstruction of the worker's own packet, or the mean of all workers if the stage
// keeps what the mean has left out. The second line holds for stages whose server keeps a residual
// too. Both hold to rounding.
//
// Error feedback, DoubleSqueeze and deep gradient compression declare the law. It is checked by
// `train --check-laws`, and what a stage keeps is measured by `train --measure health`.
#pragma once

#include <span>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

class ConservingStage {
 public:
  ConservingStage() = default;
  virtual ~ConservingStage() = default;
  ConservingStage(const ConservingStage&) = delete;
  ConservingStage& operator=(const ConservingStage&) = delete;

  // Whether the worker subtracts the mean of all packets, instead of its own packet.
  virtual bool subtracts_mean() const { return false; }

  // total = kept before the step + the input. Called before the first encode of the step; changes
  // nothing. `grads` and `total` have the same tensors.
  virtual void add_up(const Round&, std::span<const GradView> grads,
                      std::span<const GradView> total) = 0;
  // kept = what the worker keeps. Tensors of which it keeps nothing are set to zero.
  virtual void copy_kept(std::span<const GradView> kept) = 0;
  // Whether the second law holds too.
  virtual bool has_server() const { return false; }
  // kept = what the server keeps of one tensor. Returns false if this worker is not its server.
  virtual bool copy_kept_by_server(const GradView& /*kept*/) { return false; }
};

}  // namespace terse
