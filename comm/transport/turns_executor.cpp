// One worker runs at a time, and the others sleep.
//
// A worker that must wait passes the turn on to the runnable worker with the earliest (virtual
// time, rank). If no worker is runnable and one still waits, that is a deadlock. A wait has no
// deadline: it lasts as long as the other workers compute. After a failure all workers run at once,
// so that they can leave. The turn is handed over by a semaphore after the mutex was released: the
// worker that wakes finds nothing to wait for.
//
// In a modelled network (network_model.hpp) a message carries the time of its first byte. A worker
// takes it only when no runnable worker's time is earlier by the least latency: then none of them
// can still send a message that would have come first, and the order of messages at the receiving
// NIC is final. In all else a worker may run ahead of the others. A barrier costs no time: all
// workers go on at the time of the last that came.
#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <queue>
#include <semaphore>
#include <utility>
#include <vector>

#include "tersegrad/comm/network/network_model.hpp"
#include "tersegrad/comm/transport/thread_executor.hpp"
#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

class TurnsExecutor final : public ThreadExecutor {
 public:
  TurnsExecutor(ThreadState& state, const WorkerOptions& options) : ThreadExecutor(state) {
    const auto& model = options.virtual_time;
    if (model) network_.emplace(model->network, options.workers, model->seed);
    for (int rank = 0; rank < options.workers; ++rank) {
      players_.emplace_back(VirtualClock(model ? model->local_work : LocalWork::declared,
                                         network_ ? network_->slowness(rank) : 1));
      if (rank != turn_) satisfy(rank);
    }
  }

  bool concurrent() const override { return false; }
  bool must_wait_to_enter(int rank) const override { return turn_ != rank; }

  void wait(Lock& lock, int rank) override {
    int next = kNobody;
    if (turn_ == rank) {
      if (state_.satisfied(rank)) satisfy(rank);  // another worker's time is earlier
      next = pass_turn();
    }
    while (!state_.failure && turn_ != rank) {
      fail_if_wait_cannot_complete(rank);
      lock.unlock();
      if (next != kNobody) wake(next);
      next = kNobody;
      player(rank).turn.acquire();
      lock.lock();
    }
  }

  void wake(int rank) override { player(rank).turn.release(); }
  // It wakes when its turn comes.
  void satisfy(int rank) override {
    runnable_.emplace(earliest(rank, state_.slot(rank).wait), rank);
  }

  void open_barrier(Lock&, int rank, Clocks clocks) override {
    double latest = 0;
    for (const auto& each : players_) latest = std::max(latest, each.clock.now());
    for (int other = 0; other < state_.size(); ++other) {
      if (clocks == Clocks::latest) player(other).clock.set(latest);
      if (other != rank) satisfy(other);
    }
  }

  void leave(int rank) override {
    if (!state_.failure) {
      for (int other = 0; other < state_.size(); ++other) {
        if (state_.waits_for_dead(other, rank)) satisfy(other);
      }
      const int next = turn_ == rank ? pass_turn() : kNobody;
      if (next != kNobody) wake(next);
    }
    wake_those_who_wait_in_vain();
  }

  // ---- the modelled network ----

  NetworkNics::Sent send(int from, int to, std::size_t bytes) override {
    if (!network_) return {};
    return network_->send(from, to, bytes, player(from).clock.now());
  }

  bool may_take(int rank, int from) override {
    if (!ThreadExecutor::may_take(rank, from)) return false;
    if (!network_ || runnable_.empty()) return true;
    const double time = earliest(rank, {.kind = WaitFor::Kind::packet, .from = from});
    return time < runnable_.top().first + network_->least_latency();
  }

  // The NIC receives up to the head of this mailbox, and the worker's time moves there.
  void receive(int rank, int from) override {
    auto& clock = player(rank).clock;
    auto& box = state_.mailbox(from, rank);
    if (box.queue.empty()) {  // `from` has died
      return clock.set(earliest(rank, {.kind = WaitFor::Kind::packet, .from = from}));
    }
    if (!network_) return;
    while (box.arrived == 0) {
      const auto [sender, time] = network_->receive(rank);
      auto& other = state_.mailbox(sender, rank);
      other.queue.at(other.arrived++).arrival = time;
    }
    --box.arrived;
    clock.set(std::max(clock.now(), box.queue.at(0).arrival));
  }

  VirtualClock* clock(int rank) override { return network_ ? &player(rank).clock : nullptr; }

  // Messages that the worker's NIC has received, but the worker has not taken, are of the next step
  // and will be sent again. The NIC must then know that it has received them already.
  void serialize(int rank, Archive& archive) override {
    if (!network_) return;
    const auto scope = archive.scope("network");
    double now = player(rank).clock.now();
    archive.item("now", now);
    player(rank).clock.set(now);
    std::vector<NetworkNics::Arrival> early;
    for (int from = 0; from < state_.size(); ++from) {
      auto& box = state_.mailbox(from, rank);
      for (std::size_t i = 0; i < box.arrived; ++i) {
        early.push_back({.from = from, .time = box.queue.at(i).arrival});
      }
    }
    network_->serialize(rank, archive, early);
  }

 private:
  static constexpr int kNobody = -1;

  struct Player {
    explicit Player(VirtualClock its_clock) : clock(its_clock) {}
    std::counting_semaphore<> turn{0};
    VirtualClock clock;  // used by the worker's thread alone, in its turn
  };

  Player& player(int rank) { return players_[static_cast<std::size_t>(rank)]; }

  // The virtual time at which a worker whose wait is satisfied can go on, or a lower bound: its NIC
  // may have to receive other messages first.
  double earliest(int rank, const WaitFor& wait) {
    const double now = player(rank).clock.now();
    if (!network_ || wait.kind != WaitFor::Kind::packet) return now;
    auto& box = state_.mailbox(wait.from, rank);
    if (box.queue.empty()) return std::max(now, player(wait.from).clock.now());  // it has died
    const Message& message = box.queue.at(0);
    return std::max(now, box.arrived > 0 ? message.arrival : message.first_byte);
  }

  // The worker that has the turn waits or leaves. Returns who has the turn now; the caller wakes it.
  int pass_turn() {
    turn_ = kNobody;
    if (!runnable_.empty()) {
      turn_ = runnable_.top().second;
      runnable_.pop();
    } else if (state_.left < state_.size()) {
      fail(std::make_exception_ptr(
          Error(fmt::format("deadlock: no worker can run; {}", state_.describe_all()))));
    }
    return turn_;
  }

  std::optional<NetworkNics> network_;
  std::deque<Player> players_;  // by rank
  // The workers that could run if they had the turn, and their virtual time then.
  using Runnable = std::pair<double, int>;
  std::priority_queue<Runnable, std::vector<Runnable>, std::greater<>> runnable_;
  int turn_ = 0;  // the worker that runs
};

}  // namespace

std::unique_ptr<ThreadExecutor> make_turns_executor(ThreadState& state,
                                                    const WorkerOptions& options) {
  return std::make_unique<TurnsExecutor>(state, options);
}

}  // namespace terse
