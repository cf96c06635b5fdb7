// Virtual time: one thread plays all workers, in the order in which their pushes arrive.
//
//   queue of (time, number, worker, event), least first; the number breaks ties, so a run repeats
//   start(w):     w pulls x;  queue (computed, w) at now + transfer of the pull + a drawn duration
//   until the server has made all updates, take the first of the queue; its time is now:
//     computed:   g = gradient at the model that w holds;  encode it
//                 queue (first byte, w) at now + latency to the server's NIC
//     first byte: queue (arrived, w) at the time when the server's NIC has received the push
//     arrived:    the server takes the push;  start every worker that it releases
//
// Without a modelled network transfers take no time: a push arrives when it is computed. A
// compressor then does not change the staleness, only the effect of stale pushes. With a network
// (network_model.hpp) the server has a NIC like every worker: pushes arrive at it one after the
// other, and models leave it one after the other.
//
// If durations are measured, the gradient is computed at the start. With delays there is no queue:
// the workers take turns, and each reads the model of as many versions ago as is drawn.
//
// Cost: an update costs a gradient, its packet and O(d + log W). Memory: a model for each version
// that some worker holds, at most W d floats; the memory of the learners; the pushes under way.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <queue>
#include <tuple>
#include <vector>

#include "tersegrad/comm/async/async_worker.hpp"
#include "tersegrad/comm/async/model_packet.hpp"
#include "tersegrad/comm/network/durations.hpp"

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
        losses_(static_cast<std::size_t>(options.workers)),
        laps_(static_cast<std::size_t>(options.workers)),
        ups_(options.network ? static_cast<std::size_t>(options.workers) : 1) {
    if (options.network) cards_.emplace(*options.network, options.workers + 1, options.seed);
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
                       .virtual_times = virtual_times_,
                       .traffic = traffic_};
    HashArchive hash;
    server_.serialize(hash);
    for (std::size_t w = 0; w < workers_.size(); ++w) {
      const auto scope = hash.scope(fmt::format("worker.{}", w));
      workers_[w].serialize(hash);
    }
    result.state_hash = hash.hash();
    return result;
  }

 private:
  void play_events() {
    for (int w = 0; w < options_.workers; ++w) start(w);
    while (server_.version() < options_.updates) {
      const auto [time, number, worker, what] = queue_.top();
      queue_.pop();
      now_ = time;
      switch (what) {
        case What::computed:
          if (!durations_.measured()) compute(worker);
          encode(worker);
          laps_[at(worker)].computed = now_;
          cards_ ? send(worker) : arrive(worker);
          break;
        case What::first_byte: {
          const auto [from, arrival] = cards_->receive(server_seat());
          put(arrival, from, What::arrived);
          break;
        }
        case What::arrived:
          arrive(worker);
          break;
      }
    }
  }

  void start(int w) {
    std::size_t bytes = 0;
    {
      const auto timed = clock_.time(Part::exchange);
      bytes = count_pull(w);
      server_.pull(w);
      held_[at(w)] = server_.copy();
    }
    double& began = laps_[at(w)].began = now_;
    if (cards_) {
      cards_->send(server_seat(), w, bytes, now_);
      began = cards_->receive(w).time;  // no other message is under way to w
    }
    const double measured = durations_.measured() ? compute(w) : 0;
    const double slowness = cards_ ? cards_->slowness(w) : 1;
    put(began + slowness * options_.compute * durations_.next(w, measured), w, What::computed);
  }

  void send(int w) {
    put(cards_->send(w, server_seat(), up(w).size_bytes(), now_), w, What::first_byte);
  }

  void arrive(int w) {
    push(w);
    auto& lap = laps_[at(w)];
    virtual_times_[Part::compute] += lap.computed - lap.began;
    virtual_times_[Part::exchange] += (lap.began - lap.arrived) + (now_ - lap.computed);
    lap.arrived = now_;
    for (const int released : server_.released()) start(released);
  }

  void play_delays() {
    Delays delays(options_.delays, options_.seed);
    std::deque<ModelCopy> versions;  // the last versions, the newest at the end
    for (std::uint64_t t = 0; t < options_.updates; ++t, ++now_) {
      versions.push_back(server_.copy());
      if (versions.size() > delays.most() + 1) versions.pop_front();
      const auto late = delays.next(t);
      const int w = static_cast<int>(t % static_cast<std::uint64_t>(options_.workers));
      held_[at(w)] = versions[versions.size() - 1 - late];
      traffic_[at(w)].bytes_down += dense_bytes_;
      server_.pull(w, t - late, held_[at(w)]);
      compute(w);
      encode(w);
      push(w);
    }
  }

  // Computes the gradient of w. Returns the real seconds that it took.
  double compute(int w) {
    const auto timed = clock_.time(Part::compute);
    const auto start = std::chrono::steady_clock::now();
    losses_[at(w)] = workers_[at(w)].compute(held_[at(w)]->span());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  void encode(int w) {
    const auto timed = clock_.time(Part::encode);
    workers_[at(w)].encode(server_.read_version(w), up(w));
  }

  void push(int w) {
    auto& traffic = traffic_[at(w)];
    ++traffic.pushes;
    traffic.bytes_up += up(w).size_bytes();
    bytes_up_ += up(w).size_bytes();
    const auto message_bytes = up(w).payload().size();
    {
      const auto timed = clock_.time(Part::update);
      server_.push(w, up(w), run_.rate(server_.version()));
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

  // Counts and returns the bytes of a pull. A sparse pull is written to find its size.
  std::size_t count_pull(int w) {
    std::size_t bytes = dense_bytes_;
    if (options_.sparse_pulls && held_[at(w)]) {
      write_model(workers_[at(w)].step(), server_.version(), server_.model(), held_[at(w)]->span(),
                  down_);
      bytes = down_.size_bytes();
    }
    traffic_[at(w)].bytes_down += bytes;
    return bytes;
  }

  static std::size_t at(int worker) { return static_cast<std::size_t>(worker); }

  int server_seat() const { return options_.workers; }
  // The packet of w's push. Without a network pushes arrive immediately, so all workers share one.
  Packet& up(int w) { return ups_[ups_.size() > 1 ? at(w) : 0]; }

  enum class What : std::uint8_t { computed, first_byte, arrived };
  using Event = std::tuple<double, std::uint64_t, int, What>;  // time, number, worker
  void put(double time, int w, What what) { queue_.emplace(time, queued_++, w, what); }

  // Times of a worker: its last push arrived, its next gradient was begun and was computed.
  struct Lap {
    double arrived = 0, began = 0, computed = 0;
  };

  const AsyncOptions& options_;
  const AsyncRun& run_;
  AsyncServer server_;
  Durations durations_;
  std::vector<AsyncWorker> workers_;
  std::vector<AsyncTraffic> traffic_;
  std::vector<ModelCopy> held_;  // by worker: the model that it pulled
  std::vector<double> losses_;   // by worker: the loss of its last batch
  std::vector<Lap> laps_;
  std::vector<Packet> ups_;
  std::optional<NetworkNics> cards_;  // the NICs of the workers and, last, of the server
  std::priority_queue<Event, std::vector<Event>, std::greater<>> queue_;
  std::uint64_t queued_ = 0;
  double now_ = 0;
  Packet down_;
  std::size_t dense_bytes_ = 0;
  std::uint64_t bytes_up_ = 0;
  PartClock clock_;
  PartTimes virtual_times_;
};

}  // namespace

AsyncResult run_simulated(const AsyncOptions& options, const AsyncRun& run) {
  return Simulation(options, run).play();
}

}  // namespace terse
