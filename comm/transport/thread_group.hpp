// The workers of one process: their mailboxes, their barrier, their turns and their common end.
//
// One mutex guards everything. It is held to push or pop a packet's pointer, never for a copy, so
// that W threads hardly meet on it. Each worker sleeps on a condition variable of its own. A wait
// first spins for a moment, then yields a few times, then sleeps: a message from a running
// neighbour is caught without a system call, and nobody burns the processor that another needs.
//
// Turns: exactly one worker runs, the others sleep. Who must wait passes the turn on to the
// runnable worker with the earliest (clock, rank). If none is runnable and one still waits, that is
// a deadlock. After a failure all run at once, to leave. The turn is handed over by a semaphore,
// once the mutex is free: a worker that wakes finds nothing to wait for.
//
// A modelled network (network_model.hpp) takes turns. A message carries the time of its first byte,
// and a worker takes it only when no runnable worker's time is earlier by a latency: then none can
// still send what would have come first, and the receiving card's order is final. In all else a
// worker may run ahead of the others. A barrier costs nothing: all go on at the time of the last to
// come.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <queue>
#include <semaphore>
#include <string>
#include <utility>
#include <vector>

#include "tersegrad/comm/network/network_model.hpp"
#include "tersegrad/comm/network/virtual_clock.hpp"
#include "tersegrad/comm/transport/endpoint.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/comm/transport/shared_memory.hpp"
#include "tersegrad/comm/transport/stall.hpp"
#include "tersegrad/optim/packet.hpp"

namespace terse {

// A packet under way, and in a modelled network its times there.
struct Message {
  Packet packet;
  double first_byte = 0;
  double arrival = 0;  // of the last byte, once the receiving card has come to it
};

// First in, first out, in a circle of slots that only ever grows.
class MessageQueue {
 public:
  bool empty() const { return count_ == 0; }
  void push(Message message);
  Message pop();
  Message& at(std::size_t place) { return slots_[(head_ + place) % slots_.size()]; }

 private:
  std::vector<Message> slots_;
  std::size_t head_ = 0, count_ = 0;
};

class ThreadGroup {
 public:
  explicit ThreadGroup(const WorkerOptions& options);

  int size() const { return static_cast<int>(seats_.size()); }
  bool concurrent() const { return executor_ == Executor::concurrent; }

  // For the thread of worker `rank`, or one at a time in its stead, in this order: enter, any of
  // the others, leave.
  void enter(int rank);  // waits for the first turn
  // The calling thread works for this worker, too: its processor time is the worker's.
  void add_thread(int rank);
  Packet lend(int rank, int to);
  void post(int rank, int to, Packet packet);
  void take(int rank, int from, const Expected& expected, Packet& into);
  int take_any(int rank, const Expected& expected, Packet& into);
  void barrier(int rank);
  SharedMemory* shared_memory() {
    return executor_ == Executor::concurrent ? &shared_memory_ : nullptr;
  }
  VirtualClock* clock(int rank) { return cards_ ? &seat(rank).clock : nullptr; }
  void interrupt(int rank);  // the wait of who acts for it throws, and all calls from now on
  void fail(std::exception_ptr failure);  // only the first counts
  // Before it leaves: it has failed, and the run may go on without it.
  void lose(int rank, std::exception_ptr failure);
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
    explicit Seat(VirtualClock its_clock) : clock(its_clock) {}
    std::condition_variable wake;          // concurrent
    std::counting_semaphore<> turn{0};     // turns
    std::atomic<std::uint32_t> signal{0};  // changes when the worker should look again
    Want want;
    Clock::time_point since{};         // when it began to wait
    std::uint64_t waits = 0;           // that it has finished
    std::vector<ThreadClock> threads;  // that work for it
    VirtualClock clock;                // its thread's alone, in its turn
    bool left = false;
    bool lost = false;  // left, or about to, by an exception that ends it alone
    std::string cause;  // its text
    bool interrupted = false;
    int served = 0;  // who sent what was last taken from anyone
  };
  struct Mailbox {
    MessageQueue queue;
    std::size_t arrived = 0;    // so many at the head of the queue, in a modelled network
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
  void wait_until_satisfied(Lock& lock, int rank);
  void wait_for_turn(Lock& lock, int rank);
  void spin(Lock& lock, Seat& seat);
  bool satisfied(int rank);
  int sender_to(int rank);  // the next whose packet waits, or kAnyone
  bool hopeless(int rank);
  bool dead(int rank) const { return seat(rank).left && seat(rank).lost; }
  void fail_if_hopeless(int rank);
  double earliest(int rank, const Want& want);
  bool may_take(int rank, int from);
  void receive_until(int rank, Mailbox& box);
  void make_runnable(int rank);
  Seat* pass_turn();
  void wake(Seat& seat);
  void wake_all();
  void fail_locked(std::exception_ptr failure);
  void throw_if_failed(int rank) const;
  bool stalled(int rank, StallTimer& timer);
  bool wait_until_all_left(Lock& lock);
  std::string timeout_text(int rank) const;
  std::string describe(int rank) const;
  std::string describe_all() const;

  const Executor executor_;
  const std::chrono::milliseconds deadline_;
  SharedMemory shared_memory_;

  std::mutex mutex_;  // guards all below
  std::optional<NetworkCards> cards_;
  std::deque<Seat> seats_;
  std::vector<Mailbox> mailboxes_;
  // Who could run if it had the turn, and its virtual time then: the earliest first.
  using Runnable = std::pair<double, int>;
  std::priority_queue<Runnable, std::vector<Runnable>, std::greater<>> runnable_;
  int turn_ = 0;                  // who runs; -1: nobody any more
  int arrived_ = 0;               // at the barrier
  std::uint64_t generation_ = 0;  // of the barrier
  int left_ = 0;
  std::condition_variable changed_;  // for the thread that started them: failure_ or left_
  std::exception_ptr failure_;
  std::exception_ptr first_loss_;
  int lost_ = 0;
  std::string failure_text_;
  std::vector<Activity> activities_;  // scratch of stalled()
};

}  // namespace terse
