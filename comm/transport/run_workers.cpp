#include "tersegrad/comm/transport/run_workers.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "tersegrad/comm/transport/thread_group.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/thread.hpp"

namespace terse {
namespace {

class ThreadEndpoint final : public Endpoint {
 public:
  ThreadEndpoint(ThreadGroup& group, int rank) : group_(group), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return group_.size(); }
  Packet lend(int to) override { return group_.lend(rank_, to); }
  void post(int to, Packet packet) override { group_.post(rank_, to, std::move(packet)); }
  void take(int from, const Expected& expected, Packet& into) override {
    group_.take(rank_, from, expected, into);
  }
  int take_any(const Expected& expected, Packet& into) override {
    return group_.take_any(rank_, expected, into);
  }
  void barrier() override { group_.barrier(rank_, Clocks::latest); }
  void rejoin() override { group_.barrier(rank_, Clocks::own); }
  SharedMemory* shared_memory() override { return group_.shared_memory(); }
  bool others_may_act() const override { return group_.concurrent(); }
  void add_thread() override { group_.add_thread(rank_); }
  void interrupt() override { group_.interrupt(rank_); }
  VirtualClock* clock() override { return group_.clock(rank_); }
  void serialize(Archive& archive) override { group_.serialize(rank_, archive); }

 private:
  ThreadGroup& group_;
  int rank_;
};

// The body of a worker that may go, if it fails, without ending the run.
void run_body(ThreadGroup& group, Worker& me, int rank, OnFailure policy,
              FunctionRef<void(Worker&)> body) {
  Arena arena;
  try {
    arena.run([&] { body(me); });
  } catch (const WorkerDropped&) {  // the others know
    group.lose(rank, std::current_exception());
  } catch (const WorkerLost& loss) {
    throw Error(
        fmt::format("{}; worker {} waited for it within an exchange, and the others can agree to "
                    "continue only at the start of a step",
                    loss.what(), rank));
  } catch (const std::exception& error) {
    if (policy == OnFailure::abort) throw;
    if (me.in_exchange()) {
      throw Error(fmt::format(
          "worker {} failed within an exchange, where the others may disagree about the step, so "
          "the run cannot continue: {}",
          rank, error.what()));
    }
    group.lose(rank, std::current_exception());
  }
}

void run_one(ThreadGroup& group, int rank, const WorkerOptions& options,
             FunctionRef<void(Worker&)> body) {
  try {
    group.enter(rank);
    ThreadEndpoint endpoint(group, rank);
    Worker me(endpoint, options.verify);
    run_body(group, me, rank, options.on_failure, body);
  } catch (...) {
    group.fail(std::current_exception());
  }
  group.leave(rank);
}

}  // namespace

void exit_stuck(const std::string& error) {
  std::fputs((error + "\n").c_str(), stderr);
  std::fflush(stderr);
  std::_Exit(1);
}

void run_workers(const WorkerOptions& options, FunctionRef<void(Worker&)> body) {
  constexpr int kMost = 65535;  // a packet's header has 16 bits for the worker
  check<UsageError>(options.workers >= 1 && options.workers <= kMost,
                    "workers: expected 1 to {}; got {}", kMost, options.workers);
  check<UsageError>(options.deadline.count() >= 0,
                    "deadline: expected at least 0 ms (0 is never); got {} ms",
                    options.deadline.count());
  ThreadGroup group(options);
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(options.workers));  // a thread that runs must find room
  try {
    for (int rank = 0; rank < options.workers; ++rank) {
      threads.push_back(
          start_thread(fmt::format("worker {} of {}", rank, options.workers),
                       [&group, rank, &options, body] { run_one(group, rank, options, body); }));
    }
  } catch (...) {  // the system gives no more threads: those that run are called off
    group.fail(std::current_exception());
    for (int rank = static_cast<int>(threads.size()); rank < options.workers; ++rank) {
      group.leave(rank);
    }
  }
  group.wait_for_all(options.on_stuck);
  for (auto& thread : threads) thread.join();
  group.rethrow_failure();
}

}  // namespace terse
