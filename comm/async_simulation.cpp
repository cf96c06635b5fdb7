// Virtual time: one thread plays all workers, in the order in which their pushes would arrive.
//
//   queue of (time, number, worker), least first; the number breaks ties, so a run repeats
//   start(w):  w pulls x;  into the queue at now + a drawn duration
//   until the server has made all updates:
//     (now, _, w) = the first of the queue
//     g = gradient at the model that w holds           only now: nobody needs it earlier
//     push(w, g);  start every worker that the server releases
//
// Where durations are measured, the gradient is computed at the start. With delays there is no
// queue: the workers take turns, and each reads the model of as many versions ago as is drawn.
//
// A duration is compute time alone, so a compressor cannot change the staleness, only what stale
// pushes do. The time on a modelled network would be added where `start` queues the worker.
//
// Cost: an update costs a gradient, its packet and O(d + log W). Memory: a model for each version
// that some worker holds, at most W d floats, and what the learners keep.
#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <queue>
#include <tuple>
#include <vector>

#include "comm/async_worker.hpp"
#include "comm/durations.hpp"
#include "comm/model_packet.hpp"

namespace terse {
namespace {

class Simulation {
 public:
  Simulation(const AsyncOptions& options, const AsyncRun& run)
      : options_(options),
        run_(run),
        server_(make_server(options, run)),
        durations_(options.durations, options.workers, options.speeds, options.seed),
        traffic_(static_cast<std::size_t>(options.workers)),
        held_(static_cast<std::size_t>(options.workers)),
        losses_(static_cast<std::size_t>(options.workers)) {
    for (int w = 0; w < options.workers; ++w) workers_.emplace_back(options, run, w);
    write_model(0, 0, server_.model(), {}, down_);
    dense_bytes_ = down_.size_bytes();
  }

  AsyncResult play() {
    options_.delays.empty() ? play_events() : play_delays();
    AsyncResult result{.staleness = server_.staleness(),
                       .updates = server_.version(),
                       .dropped = server_.dropped(),
                       .seconds = now_,
                       .times = clock_.times(),
                       .traffic = traffic_};
    HashArchive hash;
    server_.serialize(hash);
    for (auto& worker : workers_) worker.serialize(hash);
    result.state_hash = hash.hash();
    return result;
  }

 private:
  void play_events() {
    for (int w = 0; w < options_.workers; ++w) start(w);
    while (server_.version() < options_.updates) {
      const auto worker = std::get<int>(queue_.top());
      now_ = std::get<double>(queue_.top());
      queue_.pop();
      if (!durations_.measured()) compute(worker);
      push(worker);
      for (const int released : server_.released()) start(released);
    }
  }

  void start(int w) {
    {
      const auto timed = clock_.time(Phase::exchange);
      count_pull(w);
      server_.pull(w);
      held_[at(w)] = server_.copy();
    }
    const double measured = durations_.measured() ? compute(w) : 0;
    queue_.emplace(now_ + durations_.next(w, measured), queued_++, w);
  }

  void play_delays() {
    Delays delays(options_.delays, options_.seed);
    std::deque<ModelCopy> versions;  // the last ones, the newest at the end
    for (std::uint64_t t = 0; t < options_.updates; ++t, ++now_) {
      versions.push_back(server_.copy());
      if (versions.size() > delays.most() + 1) versions.pop_front();
      const auto late = delays.next(t);
      const int w = static_cast<int>(t % static_cast<std::uint64_t>(options_.workers));
      held_[at(w)] = versions[versions.size() - 1 - late];
      traffic_[at(w)].bytes_down += dense_bytes_;
      server_.pull(w, t - late, held_[at(w)]);
      compute(w);
      push(w);
    }
  }

  // The seconds that it takes on this machine.
  double compute(int w) {
    const auto timed = clock_.time(Phase::compute);
    const auto start = std::chrono::steady_clock::now();
    losses_[at(w)] = workers_[at(w)].compute(held_[at(w)]->span());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  void push(int w) {
    {
      const auto timed = clock_.time(Phase::encode);
      workers_[at(w)].encode(server_.read_version(w), up_);
    }
    auto& traffic = traffic_[at(w)];
    ++traffic.pushes;
    traffic.bytes_up += up_.size_bytes();
    bytes_up_ += up_.size_bytes();
    const auto message_bytes = up_.payload().size();
    {
      const auto timed = clock_.time(Phase::update);
      server_.push(w, up_, run_.rate(server_.version()));
    }
    if (!run_.on_push) return;
    run_.on_push({.worker = w,
                  .loss = losses_[at(w)],
                  .seconds = now_,
                  .version = server_.version(),
                  .message_bytes = message_bytes,
                  .bytes_up = bytes_up_,
                  .applied = server_.applied()});
  }

  // A dense model has one size; what a sparse pull takes is known once it is written.
  void count_pull(int w) {
    std::size_t bytes = dense_bytes_;
    if (options_.sparse_pulls && held_[at(w)]) {
      write_model(workers_[at(w)].step(), server_.version(), server_.model(), held_[at(w)]->span(),
                  down_);
      bytes = down_.size_bytes();
    }
    traffic_[at(w)].bytes_down += bytes;
  }

  static std::size_t at(int worker) { return static_cast<std::size_t>(worker); }

  using Event = std::tuple<double, std::uint64_t, int>;  // time, number, worker

  const AsyncOptions& options_;
  const AsyncRun& run_;
  AsyncServer server_;
  Durations durations_;
  std::vector<AsyncWorker> workers_;
  std::vector<AsyncTraffic> traffic_;
  std::vector<ModelCopy> held_;  // what each worker has pulled
  std::vector<double> losses_;   // of each worker's last batch
  std::priority_queue<Event, std::vector<Event>, std::greater<>> queue_;
  std::uint64_t queued_ = 0;
  double now_ = 0;
  Packet up_, down_;
  std::size_t dense_bytes_ = 0;
  std::uint64_t bytes_up_ = 0;
  PhaseClock clock_;
};

}  // namespace

AsyncResult run_simulated(const AsyncOptions& options, const AsyncRun& run) {
  return Simulation(options, run).play();
}

}  // namespace terse
