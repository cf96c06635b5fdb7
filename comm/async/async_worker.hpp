// A worker of an asynchronous run, between pull and push; and what each clock does with it.
#pragma once

#include <memory>
#include <vector>

#include "tersegrad/comm/async/async.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

class AsyncWorker {
 public:
  AsyncWorker(const AsyncOptions& options, const AsyncRun& run, int worker);

  // The gradient of the next batch at this model, kept for `encode`; returns the loss. A hostile
  // worker changes it first. What is not finite is an Error, or zero, by the policy.
  double compute(std::span<const float> model);
  // The packet of it, at the rate of the version that was pulled.
  void encode(std::uint64_t version, Packet& up);

  int number() const { return worker_; }
  std::uint64_t step() const { return step_; }  // gradients that were encoded
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
  std::uint64_t step_ = 0;
};

AsyncServer make_server(const AsyncOptions& options, const AsyncRun& run);

AsyncResult run_simulated(const AsyncOptions& options, const AsyncRun& run);
AsyncResult run_threads(const AsyncOptions& options, const AsyncRun& run);
AsyncResult run_as(Worker& me, const AsyncOptions& options, const AsyncRun& run);
AsyncResult run_hogwild(const AsyncOptions& options, const AsyncRun& run);

}  // namespace terse
