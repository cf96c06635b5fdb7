// What looks into the steps of a run: health, conservation laws, recordings. A probe observes stages
// of a worker's compressor and changes no bit of the run. Its work takes no time of the run.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse::run {

class StepProbe {
 public:
  virtual ~StepProbe() = default;
  // Puts an observer around a stage, or returns the stage; see make_compressor.
  virtual std::unique_ptr<Compressor> around_stage(std::unique_ptr<Compressor> stage,
                                                   bool /*decorator*/) {
    return stage;
  }
  // The same for the whole chain, which the workers' packets pass through.
  virtual std::unique_ptr<Compressor> around_chain(std::unique_ptr<Compressor> chain) {
    return chain;
  }
  // Before and after every step, by all workers together. `step` counts the steps before this one.
  virtual void begin_step(std::int64_t /*step*/) {}
  virtual void end_step(std::int64_t /*step*/) {}
};

using StepProbes = std::vector<std::unique_ptr<StepProbe>>;

}  // namespace terse::run
