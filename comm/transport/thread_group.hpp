// The workers of one process: they exchange packets through mailboxes, wait at a barrier, and end
// together. An executor decides which of their threads run (thread_executor.hpp).
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>

#include "tersegrad/comm/network/virtual_clock.hpp"
#include "tersegrad/comm/transport/endpoint.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/comm/transport/shared_memory.hpp"
#include "tersegrad/comm/transport/thread_executor.hpp"
#include "tersegrad/comm/transport/thread_state.hpp"
#include "tersegrad/optim/packet.hpp"

namespace terse {

class ThreadGroup {
 public:
  explicit ThreadGroup(const WorkerOptions& options);

  int size() const { return state_.size(); }
  bool concurrent() const { return executor_->concurrent(); }

  // The thread of worker `rank` calls these functions, or one other thread at a time calls them in
  // its place. The order is: enter, any of the others, leave.
  void enter(int rank);  // waits for the first turn
  // The calling thread also works for this worker: its processor time counts as the worker's.
  void add_thread(int rank);
  Packet lend(int rank, int to);
  void post(int rank, int to, Packet packet);
  void take(int rank, int from, const Expected& expected, Packet& into);
  int take_any(int rank, const Expected& expected, Packet& into);
  void barrier(int rank, Clocks clocks);
  SharedMemory* shared_memory() { return concurrent() ? &shared_memory_ : nullptr; }
  VirtualClock* clock(int rank) { return executor_->clock(rank); }
  void serialize(int rank, Archive& archive);  // see Endpoint
  // The worker's present wait throws, and so do all its later calls.
  void interrupt(int rank);
  // Ends the run. Only the first failure counts.
  void fail(std::exception_ptr failure);
  // Called before `leave`: this worker has failed, and the run may continue without it.
  void lose(int rank, std::exception_ptr failure);
  void leave(int rank);

  // The thread that started the workers calls these.
  void wait_for_all(const std::function<void(const std::string&)>& on_stuck);
  void rethrow_failure() const;

 private:
  using Lock = ThreadState::Lock;

  void wait(Lock& lock, int rank, const WaitFor& wait);
  void throw_if_failed(int rank) const;
  // Returns false if, after a failure, the workers that have not left make no progress for a
  // deadline.
  bool wait_until_all_left(Lock& lock);

  ThreadState state_;
  std::unique_ptr<ThreadExecutor> executor_;
  SharedMemory shared_memory_;
};

}  // namespace terse
