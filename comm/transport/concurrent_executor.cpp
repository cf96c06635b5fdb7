// All workers run at once, each on its thread.
//
// A wait first spins for a moment, then yields a few times, then sleeps on a condition variable of
// its own. So a message from a running neighbour is received without a system call, and a longer
// wait leaves the processor to others. A sleeping worker wakes at least once a second to see
// whether the wait has stalled (stall.hpp).
#include <atomic>
#include <deque>
#include <thread>

#include "tersegrad/comm/transport/thread_executor.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

constexpr int kSpins = 32;
constexpr int kYields = 8;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

class ConcurrentExecutor final : public ThreadExecutor {
 public:
  explicit ConcurrentExecutor(ThreadState& state)
      : ThreadExecutor(state), sleepers_(static_cast<std::size_t>(state.size())) {}

  bool concurrent() const override { return true; }
  bool must_wait_to_enter(int) const override { return false; }

  void wait(Lock& lock, int rank) override {
    auto& own = sleeper(rank);
    spin(lock, own);
    const auto& slot = state_.slot(rank);
    StallTimer timer(state_.deadline, slot.since);
    while (!state_.failure && !slot.interrupted && !state_.satisfied(rank)) {
      fail_if_wait_cannot_complete(rank);
      if (state_.failure) return;
      if (own.wake.wait_for(lock, timer.slice()) == std::cv_status::no_timeout) continue;
      if (state_.satisfied(rank) || !state_.stalled(rank, timer)) continue;
      fail(std::make_exception_ptr(Error(state_.timeout_text(rank))));
    }
  }

  void wake(int rank) override {
    auto& other = sleeper(rank);
    other.signal.fetch_add(1, std::memory_order_relaxed);
    other.wake.notify_one();
  }
  void satisfy(int rank) override { wake(rank); }

  void open_barrier(Lock& lock, int, Clocks) override {
    lock.unlock();  // the workers that wake do not have to wait for it
    wake_all();
  }

  void leave(int rank) override {
    for (int other = 0; other < state_.size(); ++other) {
      if (!state_.slot(other).left && state_.waits_for_dead(other, rank)) wake(other);
    }
    wake_those_who_wait_in_vain();
  }

 private:
  struct Sleeper {
    std::condition_variable wake;
    std::atomic<std::uint32_t> signal{0};  // changes whenever the worker should look again
  };

  static void spin(Lock& lock, const Sleeper& own) {
    const auto seen = own.signal.load(std::memory_order_relaxed);
    const auto quiet = [&] { return own.signal.load(std::memory_order_relaxed) == seen; };
    lock.unlock();
    for (int i = 0; i < kSpins && quiet(); ++i) pause();
    for (int i = 0; i < kYields && quiet(); ++i) std::this_thread::yield();
    lock.lock();
  }

  Sleeper& sleeper(int rank) { return sleepers_[static_cast<std::size_t>(rank)]; }

  std::deque<Sleeper> sleepers_;  // by rank
};

}  // namespace

std::unique_ptr<ThreadExecutor> make_concurrent_executor(ThreadState& state) {
  return std::make_unique<ConcurrentExecutor>(state);
}

}  // namespace terse
