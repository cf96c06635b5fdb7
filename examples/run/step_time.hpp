// The time of a step in a modelled network, for any method and any list of tensor shapes.
//
// Gradients are random and packets are real: every worker encodes, sends, receives and decodes as
// in training. The time of forward and backward is declared; encoding and decoding are measured on
// this machine, one worker at a time. The update is not included. In buckets the exchange overlaps
// with the declared backward pass (comm/training/overlap.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/run/config.hpp"
#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::run {

// The gradients of all workers, generated once for several methods.
class SyntheticGradients {
 public:
  SyntheticGradients(std::vector<MatrixShape> shapes, std::int64_t workers, std::uint64_t seed);
  const std::vector<MatrixShape>& shapes() const { return shapes_; }
  std::int64_t numel() const { return numel_; }
  std::span<float> of(int worker) { return workers_[static_cast<std::size_t>(worker)].span(); }

 private:
  std::vector<MatrixShape> shapes_;
  std::int64_t numel_;
  std::vector<Buffer<float>> workers_;
};

// Views of contiguous tensors of these shapes in one buffer.
std::vector<GradView> views_of(std::span<float> values, const std::vector<MatrixShape>& shapes);

struct StepTime {
  double seconds = 0;         // virtual, until the last worker has its mean gradient
  PartTimes parts;            // virtual, mean over workers; waiting is part of `exchange`
  Counters sent;              // per step, by all workers
  double hidden_seconds = 0;  // of them, overlapped with backward; mean over workers
  std::uint64_t message_bytes = 0;
};

// The mean over `steps` steps, after a first one that is not counted. `config` names the method,
// workers, topology, network and compute time; `gradients` has at least as many workers.
StepTime time_step(const RunConfig& config, SyntheticGradients& gradients, std::int64_t steps,
                   LocalWork local_work);

}  // namespace terse::run
