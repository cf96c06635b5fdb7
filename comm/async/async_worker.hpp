// A worker of an asynchronous run, and the functions that run all workers on each clock.
#pragma once

#include <memory>
#include <vector>

#include "tersegrad/comm/async/async.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

class AsyncWorker {
 public:
  AsyncWorker(const AsyncOptions& options, const AsyncRun& run, int worker);

  // Computes the gradient of the next batch at this model, keeps it for `encode`, and returns the
  // loss. An attacker's gradient is then changed. Non-finite values are set to zero or cause a
  // NonFiniteGradient, by the policy.
  double compute(std::span<const float> model);
  // Encodes that gradient and returns the round. The rate is that of `version`, the version that
  // was pulled.
  Round encode(std::uint64_t version, Packet& up);
  std::span<const GradView> gradient() const { return gradient_; }

  int number() const { return worker_; }
  std::uint64_t step() const { return step_; }  // number of encoded gradients
  Compressor& compressor() { return *compressor_; }
  void serialize(Archive& archive);

 private:
  const AsyncOptions& options_;
  const AsyncRun& run_;
  int worker_;
  std::unique_ptr<Learner> learner_;
  std::unique_ptr<Compressor> compressor_;
  ValueAttack attack_;
  std::vector<GradView> gradient_;
  bool pending_ = false;       // gradient_ is computed and not yet encoded
  std::vector<float> loaded_;  // the memory of gradient_ if it was loaded
  std::uint64_t step_ = 0;
};

AsyncServer make_server(const AsyncOptions& options, const AsyncRun& run);

AsyncResult run_simulated(const AsyncOptions& options, const AsyncRun& run);
AsyncResult run_threads(const AsyncOptions& options, const AsyncRun& run);
AsyncResult run_as(Worker& me, const AsyncOptions& options, const AsyncRun& run);
AsyncResult run_hogwild(const AsyncOptions& options, const AsyncRun& run);

}  // namespace terse
