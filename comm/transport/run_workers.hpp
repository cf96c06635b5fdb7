// Starts W workers as threads of this process and waits for them: the thread transport.
//
//   run_workers({.workers = 4}, [&](Worker& me) { train(me); });
//
// Every worker runs the same body, in an Arena of its own. Messages are copies of bytes. Sending
// never waits, receiving does.
//
// A wait ends at its deadline: when the workers that it depends on have made no progress for that
// long (stall.hpp). A worker that computes may take any time. With Executor::turns waits have no
// deadline.
//
// Failures. The first exception of a worker releases all others (their next call of send, recv or
// barrier throws) and is rethrown by run_workers, with its type, when all threads have ended. A
// wait past the deadline is such a failure; its text names the waiting workers and those that they
// wait for. A worker that stalls in its own code is detected by the workers that wait for it; its
// next call throws. A worker that makes no progress for a whole deadline after the failure cannot
// be stopped in C++: `on_stuck` is called with the error's text. By default it prints the text and
// ends the process; if it returns, run_workers continues to wait.
//
// With OnFailure::go_on an exception outside of every exchange ends only its own worker: the others
// receive what it has sent before, and then their waits for it throw WorkerLost. A worker that does
// not catch WorkerLost ends the run. If all workers fail in this way, the first exception is
// rethrown.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "tersegrad/comm/network/network_model.hpp"
#include "tersegrad/comm/network/virtual_clock.hpp"
#include "tersegrad/comm/transport/failure.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/parallel.hpp"

namespace terse {

enum class Executor : std::uint8_t {
  // All workers run at once.
  concurrent,
  // One worker runs at a time, until it must wait. Then the worker with the earliest (virtual time,
  // rank) runs, so a run can be repeated exactly and a deadlock is detected at once.
  turns,
};

// Prints the text to standard error and ends the process with code 1, without clean-up.
[[noreturn]] void exit_stuck(const std::string& error);

// A run in a modelled network: each worker has a virtual clock, and no thread sleeps for it.
struct VirtualTime {
  Network network;
  LocalWork local_work = LocalWork::measured;
  std::uint64_t seed = 0;  // of delays and losses
};

struct WorkerOptions {
  int workers = 1;
  std::chrono::milliseconds deadline = std::chrono::seconds(30);  // of every wait; 0: never
  Executor executor = Executor::concurrent;
  Verify verify = Verify::checksum;
  OnFailure on_failure = OnFailure::abort;
  std::optional<VirtualTime> virtual_time = std::nullopt;  // takes turns
  std::function<void(const std::string& error)> on_stuck = exit_stuck;
};

void run_workers(const WorkerOptions& options, FunctionRef<void(Worker&)> body);

}  // namespace terse
