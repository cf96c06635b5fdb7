// How long a step takes in a modelled network, for any method and any list of tensor shapes.
//
// The gradients are random, the packets real; every worker encodes, sends, receives and decodes
// what a training step would. Forward and backward passes are declared; encoding and decoding are
// measured on this machine, a worker at a time. The update, the same for all methods, is left out.
// In buckets the exchange overlaps with the declared backward pass, as comm/training/overlap.hpp
// says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/run/config.hpp"
#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::run {

// The gradients of all workers, made once for several methods.
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

// Tensors of these shapes behind each other in one buffer.
std::vector<GradView> views_of(std::span<float> values, const std::vector<MatrixShape>& shapes);

struct StepTime {
  double seconds = 0;         // virtual, until the last worker has its mean gradient
  PhaseTimes phases;          // the same, mean over workers; waiting is part of `exchange`
  Counters sent;              // in a step, by all workers
  double hidden_seconds = 0;  // of these, behind backward; mean over workers
  std::uint64_t message_bytes = 0;
};

// The mean over `steps` steps, after one that is not counted. config names the method, workers,
// topology, network and the compute time of a step; there are gradients for as many workers or
// more.
StepTime time_step(const RunConfig& config, SyntheticGradients& gradients, std::int64_t steps,
                   LocalWork local_work);

}  // namespace terse::run
