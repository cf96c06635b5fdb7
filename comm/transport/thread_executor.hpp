// How the threads of a ThreadGroup run and wait: all at once (concurrent_executor.cpp), or one at a
// time, with or without a modelled network (turns_executor.cpp).
#pragma once

#include <cstddef>
#include <exception>
#include <memory>

#include "tersegrad/comm/network/network_model.hpp"
#include "tersegrad/comm/network/virtual_clock.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/comm/transport/thread_state.hpp"

namespace terse {

// What a barrier does to the workers' virtual clocks: sets all to the latest, or nothing.
enum class Clocks : std::uint8_t { latest, own };

// All functions are called with the state's mutex held, by the thread of worker `rank` unless they
// say otherwise.
class ThreadExecutor {
 public:
  using Lock = ThreadState::Lock;

  explicit ThreadExecutor(ThreadState& state) : state_(state) {}
  virtual ~ThreadExecutor() = default;
  ThreadExecutor(const ThreadExecutor&) = delete;
  ThreadExecutor& operator=(const ThreadExecutor&) = delete;

  virtual bool concurrent() const = 0;
  // Whether the worker, which has just started, must wait for its turn.
  virtual bool must_wait_to_enter(int rank) const = 0;
  // Returns when the wait in the worker's slot is satisfied and the worker may run, or when the run
  // has failed, or when the worker was interrupted. May release the lock meanwhile.
  virtual void wait(Lock& lock, int rank) = 0;
  // Any thread may call it: worker `rank` reads the state again.
  virtual void wake(int rank) = 0;
  // Any thread may call it: what worker `rank` waits for has arrived.
  virtual void satisfy(int rank) = 0;
  // The last worker that came to the barrier calls it. May release the lock.
  virtual void open_barrier(Lock& lock, int rank, Clocks clocks) = 0;
  // Called after the worker's slot has been marked as left.
  virtual void leave(int rank) = 0;

  // The virtual times of a message at the receiver's NIC.
  virtual NetworkNics::Sent send(int /*from*/, int /*to*/, std::size_t /*bytes*/) { return {}; }
  // Whether the worker may take the next message of `from` without a wait.
  virtual bool may_take(int rank, int from) { return !state_.mailbox(from, rank).queue.empty(); }
  // Called before a worker takes the next message of `from`, or finds that `from` has died.
  virtual void receive(int /*rank*/, int /*from*/) {}
  // nullptr without a modelled network.
  virtual VirtualClock* clock(int /*rank*/) { return nullptr; }
  virtual void serialize(int /*rank*/, Archive& /*archive*/) {}  // see Endpoint

  // Any thread may call it: ends the run. Only the first failure counts.
  void fail(std::exception_ptr failure);
  void wake_all();

 protected:
  void fail_if_wait_cannot_complete(int rank);
  // Wakes those whose wait cannot complete after worker `rank` has left.
  void wake_those_who_wait_in_vain();

  ThreadState& state_;
};

std::unique_ptr<ThreadExecutor> make_concurrent_executor(ThreadState& state);
std::unique_ptr<ThreadExecutor> make_turns_executor(ThreadState& state,
                                                    const WorkerOptions& options);

}  // namespace terse
