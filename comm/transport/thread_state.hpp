// What the threads of one process know of each other's workers: who waits for what, who has left,
// which messages are under way, and the failure that ends the run.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <vector>

#include "tersegrad/comm/transport/endpoint.hpp"
#include "tersegrad/comm/transport/mailboxes.hpp"
#include "tersegrad/comm/transport/stall.hpp"

namespace terse {

// What a worker waits for.
struct WaitFor {
  static constexpr int kAnyone = -1;
  enum class Kind : std::uint8_t { nothing, turn, packet, barrier } kind = Kind::nothing;
  int from = 0;                  // packet: a rank or kAnyone
  Expected expected = {};        // packet
  std::uint64_t generation = 0;  // barrier: it is open when the state's generation has moved on
};

struct WorkerSlot {
  using Clock = std::chrono::steady_clock;

  WaitFor wait;
  Clock::time_point since{};         // when the wait began
  std::uint64_t waits = 0;           // finished waits
  std::vector<ThreadClock> threads;  // the threads that work for this worker
  bool left = false;
  bool lost = false;  // has left, or is about to, by an exception that ends this worker alone
  std::string cause;  // the text of that exception
  bool interrupted = false;
  int served = 0;  // the sender of the last packet that was taken from anyone
};

// One mutex guards everything. A thread holds it to push or pop a packet's pointer, never to copy
// a packet. All functions are called with the mutex held.
class ThreadState {
 public:
  using Lock = std::unique_lock<std::mutex>;

  ThreadState(int workers, std::chrono::milliseconds its_deadline)
      : deadline(its_deadline), mailboxes(workers), slots_(static_cast<std::size_t>(workers)) {}

  int size() const { return static_cast<int>(slots_.size()); }
  WorkerSlot& slot(int rank) { return slots_[static_cast<std::size_t>(rank)]; }
  const WorkerSlot& slot(int rank) const { return slots_[static_cast<std::size_t>(rank)]; }
  Mailbox& mailbox(int from, int to) { return mailboxes.at(from, to); }

  // Whether what the worker waits for is there.
  bool satisfied(int rank);
  // Whether a worker that it waits for has left, so that the wait can never end.
  bool cannot_complete(int rank);
  // Whether `rank` waits for a packet of `dead`, which failed alone before it sent one.
  bool waits_for_dead(int rank, int dead);
  bool dead(int rank) const { return slot(rank).left && slot(rank).lost; }
  // The next sender, in turn, whose packet for `rank` is there, or kAnyone.
  int sender_to(int rank);
  // Whether the wait of `rank`, or with kAnyone the wait for all workers, makes no progress.
  bool stalled(int rank, StallTimer& timer);

  std::string timeout_text(int rank) const;
  std::string describe(int rank) const;
  std::string describe_all() const;

  const std::chrono::milliseconds deadline;
  std::mutex mutex;
  Mailboxes mailboxes;
  int at_barrier = 0;            // workers that wait at the barrier
  std::uint64_t generation = 0;  // of the barrier
  int left = 0;                  // workers that have left
  int lost = 0;
  std::exception_ptr failure;  // the first one
  std::string failure_text;
  std::exception_ptr first_loss;
  std::condition_variable changed;  // failure or left, for the thread that started the workers

 private:
  std::deque<WorkerSlot> slots_;
  std::vector<Activity> activities_;  // scratch of stalled()
};

std::string text_of(const std::exception_ptr& failure);

}  // namespace terse
