// The workers of one process: their mailboxes, their barrier, their turns and their common end.
//
// One mutex guards everything. It is held to push or pop a packet's pointer, never for a copy, so
// that W threads hardly meet on it. Each worker sleeps on a condition variable of its own. A wait
// first spins for a moment, then yields a few times, then sleeps: a message from a running
// neighbour is caught without a system call, and nobody burns the processor that another needs.
//
// Turns: exactly one worker runs, the others sleep. Who must wait passes the turn on to the
// runnable worker with the earliest (clock, rank). If none is runnable and one still waits, that is
// a deadlock. After a failure all run at once, to leave.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "comm/endpoint.hpp"
#include "comm/run_workers.hpp"
#include "optim/packet.hpp"

namespace terse {

// First in, first out, in a circle of slots that only ever grows.
class PacketQueue {
 public:
  bool empty() const { return count_ == 0; }
  void push(Packet packet);
  Packet pop();

 private:
  std::vector<Packet> slots_;
  std::size_t head_ = 0, count_ = 0;
};

class ThreadGroup {
 public:
  ThreadGroup(int workers, Executor executor, std::chrono::milliseconds deadline);

  int size() const { return static_cast<int>(seats_.size()); }

  // For the thread of worker `rank`, in this order: enter, any of the others, leave.
  void enter(int rank);  // waits for the first turn
  Packet lend(int rank, int to);
  void post(int rank, int to, Packet packet);
  void take(int rank, int from, const Expected& expected, Packet& into);
  int take_any(int rank, const Expected& expected, Packet& into);
  void barrier(int rank);
  void fail(std::exception_ptr failure);  // only the first counts
  void leave(int rank);

  // For the thread that started them.
  void wait_for_all(const std::function<void(const std::string&)>& on_stuck);
  void rethrow_failure() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;

  static constexpr int kAnyone = -1;

  // What a worker waits for.
  struct Want {
    enum class Kind : std::uint8_t { nothing, turn, packet, barrier } kind = Kind::nothing;
    int from = 0;                  // packet: a rank or kAnyone
    Expected expected = {};        // packet
    std::uint64_t generation = 0;  // barrier: it is open when generation_ has moved on
  };
  struct Seat {
    std::condition_variable wake;
    std::atomic<std::uint32_t> signal{0};  // changes when the worker should look again
    Want want;
    Clock::time_point since{};  // when it began to wait
    double clock = 0;           // virtual seconds
    bool left = false;
    int served = 0;  // who sent what was last taken from anyone
  };
  struct Mailbox {
    PacketQueue queue;
    std::vector<Packet> spare;  // memory of messages that were received
  };

  Seat& seat(int rank) { return seats_[static_cast<std::size_t>(rank)]; }
  const Seat& seat(int rank) const { return seats_[static_cast<std::size_t>(rank)]; }
  Mailbox& mailbox(int from, int to) {
    return mailboxes_[static_cast<std::size_t>(from) * seats_.size() +
                      static_cast<std::size_t>(to)];
  }

  // All of these are called with the mutex held.
  void wait(Lock& lock, int rank, const Want& want);
  void spin(Lock& lock, Seat& seat);
  bool satisfied(int rank);
  int sender_to(int rank);  // the next whose packet waits, or kAnyone
  bool may_run(int rank) {
    return satisfied(rank) && (executor_ == Executor::concurrent || turn_ == rank);
  }
  bool hopeless(int rank);
  void pass_turn();
  void wake(Seat& seat);
  void wake_all();
  void fail_locked(std::exception_ptr failure);
  void throw_if_failed(int rank) const;
  std::string timeout_text(int rank) const;
  std::string describe(int rank) const;
  std::string describe_all() const;

  const Executor executor_;
  const std::chrono::milliseconds deadline_;

  std::mutex mutex_;  // guards all below
  std::vector<Seat> seats_;
  std::vector<Mailbox> mailboxes_;
  int turn_ = 0;                    // who runs; -1: nobody any more
  Clock::time_point turn_since_{};  // when the turn last changed hands
  int arrived_ = 0;                 // at the barrier
  std::uint64_t generation_ = 0;    // of the barrier
  int left_ = 0;
  std::condition_variable changed_;  // for the thread that started them: failure_ or left_
  std::exception_ptr failure_;
  std::string failure_text_;
};

}  // namespace terse
