// Hogwild: no server. All workers read and write one model without locks.
//
//   worker:  x' = a copy of x at this moment;  g = gradient at x'
//            u = the reconstruction of the compressed g
//            for every i with u_i != 0:  x_i = x_i - rate · u_i        each an atomic addition
//
// A copy may mix several versions, and updates interleave by coordinate. The method is meant for
// sparse gradients, which seldom change the same coordinates. The accesses are relaxed atomics; on
// x86 these are plain loads and compare-and-swap loops. The staleness of an update is the number of
// updates that began to be written between the begin of its copy and its own begin.
//
// Cost: no bytes; O(d) for the copy, one compare-and-swap per non-zero coordinate of u.
// Source: Niu et al., "Hogwild!", NIPS 2011, arXiv 1106.5730.
#include <atomic>
#include <chrono>
#include <mutex>
#include <vector>

#include "tersegrad/comm/async/async_worker.hpp"
#include "tersegrad/comm/setup/model_setup.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"

namespace terse {
namespace {

using Shared = std::atomic_ref<float>;

void copy_shared(std::span<float> shared, std::span<float> own) {
  for (std::size_t i = 0; i < own.size(); ++i) {
    own[i] = Shared(shared[i]).load(std::memory_order_relaxed);
  }
}

void add_shared(std::span<const float> mean, float rate, std::span<float> shared) {
  for (std::size_t i = 0; i < mean.size(); ++i) {
    if (mean[i] == 0) continue;
    Shared(shared[i]).fetch_sub(rate * mean[i], std::memory_order_relaxed);
  }
}

}  // namespace

AsyncResult run_hogwild(const AsyncOptions& options, const AsyncRun& run) {
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const auto values = run.parameters.values();  // the copy that on_push and the caller read
  std::vector<float> shared(values.begin(), values.end());
  std::atomic<std::uint64_t> begun{0};  // number of updates that have begun
  std::mutex record;                    // guards the result, on_push and `values`
  AsyncResult result;
  result.traffic.resize(static_cast<std::size_t>(options.workers));
  run_workers({.workers = options.workers, .deadline = options.deadline}, [&](Worker& me) {
    AsyncWorker worker(options, run, me.rank());
    PushDecoder decoder(run.parameters, make_compressor(options.compressor), options.seed);
    std::vector<float> own(shared.size());
    Packet up;
    for (;;) {
      const auto read = begun.load(std::memory_order_relaxed);
      copy_shared(shared, own);
      double loss = 0;
      {
        const auto timed = me.time(Part::compute);
        loss = worker.compute(own);
      }
      {
        const auto timed = me.time(Part::encode);
        worker.encode(read, up);
      }
      const auto version = begun.fetch_add(1, std::memory_order_relaxed);
      if (version >= options.updates) break;
      {
        const auto timed = me.time(Part::update);
        const float rate = run.rate(version);
        add_shared(decoder.alone(up, rate), rate, shared);
      }
      const std::lock_guard lock(record);
      const AppliedPush applied{
          .worker = me.rank(), .read = read, .staleness = version - read, .model = nullptr};
      result.staleness.add(applied.staleness);
      ++result.updates;
      ++result.traffic[static_cast<std::size_t>(me.rank())].pushes;
      if (run.on_push) {
        copy_shared(shared, values);
        run.on_push({.worker = me.rank(),
                     .loss = loss,
                     .seconds = seconds(),
                     .version = result.updates,
                     .message_bytes = up.payload().size(),
                     .bytes_up = 0,
                     .applied = std::span(&applied, 1)});
      }
    }
    const std::lock_guard lock(record);
    for (std::size_t i = 0; i < kParts; ++i) result.times.seconds[i] += me.times().seconds[i];
  });
  copy_shared(shared, values);
  result.seconds = seconds();
  return result;
}

}  // namespace terse
