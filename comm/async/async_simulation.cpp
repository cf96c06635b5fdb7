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
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tersegrad/comm/async/async_worker.hpp"
#include "tersegrad/comm/async/model_packet.hpp"
#include "tersegrad/comm/network/durations.hpp"
#include "tersegrad/core/error.hpp"

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
    if (!options.delays.empty()) delays_.emplace(options.delays, options.seed);
    if (options.network) cards_.emplace(*options.network, options.workers + 1, options.seed);
    for (int w = 0; w < options.workers; ++w) workers_.emplace_back(options, run, w);
    write_model(0, 0, server_.model(), {}, down_);
    dense_bytes_ = down_.size_bytes();
  }

  AsyncResult play() {
    if (run_.resume) {
      run_.resume([this](Archive& archive) { serialize(archive); });
      check_loaded();
      report();
    } else if (options_.delays.empty()) {
      for (int w = 0; w < options_.workers; ++w) start(w);
    }
    while (!ended_ && server_.version() < options_.updates) {
      options_.delays.empty() ? play_event() : play_delayed();
      if (pushed_) end_push();
    }
    AsyncResult result{.staleness = server_.staleness(),
                       .updates = server_.version(),
                       .dropped = server_.dropped(),
                       .seconds = now_,
                       .times = clock_.times(),
                       .virtual_times = virtual_times_,
                       .traffic = traffic_};
    HashArchive hash;
    serialize_repeatable(hash);
    result.state_hash = hash.hash();
    return result;
  }

 private:
  // Takes the first event of the queue.
  void play_event() {
    check(!queue_.empty(), "simulation: expected an event; there is none");
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
    put(cards_->send(w, server_seat(), up(w).size_bytes(), now_).first_byte, w, What::first_byte);
  }

  void arrive(int w) {
    push(w);
    auto& lap = laps_[at(w)];
    virtual_times_[Part::compute] += lap.computed - lap.began;
    virtual_times_[Part::exchange] += (lap.began - lap.arrived) + (now_ - lap.computed);
    lap.arrived = now_;
    for (const int released : server_.released()) start(released);
  }

  // One update with a synthetic delay.
  void play_delayed() {
    const auto t = server_.version();
    versions_.push_back(server_.copy());
    if (versions_.size() > delays_->most() + 1) versions_.pop_front();
    const auto late = delays_->next(t);
    check(late < versions_.size(), "versions: expected more than {}; got {}", late,
          versions_.size());
    const int w = static_cast<int>(t % static_cast<std::uint64_t>(options_.workers));
    held_[at(w)] = versions_[versions_.size() - 1 - late];
    traffic_[at(w)].bytes_down += dense_bytes_;
    server_.pull(w, t - late, held_[at(w)]);
    compute(w);
    encode(w);
    push(w);
    now_ = static_cast<double>(t + 1);
  }

  // Computes the gradient of w. Returns the real seconds that it took.
  double compute(int w) {
    const auto timed = clock_.time(Part::compute);
    const auto start = std::chrono::steady_clock::now();
    losses_[at(w)] = workers_[at(w)].compute(held_[at(w)]->span());
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  void encode(int w) {
    Round round;
    {
      const auto timed = clock_.time(Part::encode);
      round = workers_[at(w)].encode(server_.read_version(w), up(w));
    }
    if (run_.on_encode) run_.on_encode({round, workers_[at(w)].gradient(), up(w)});
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
    pushed_ = {.worker = w,
               .loss = losses_[at(w)],
               .seconds = now_,
               .version = server_.version(),
               .message_bytes = message_bytes,
               .bytes_up = bytes_up_};
  }

  // After the event of a push, so that nothing of it is missing in the state.
  void end_push() {
    if (!server_.applied().empty() && run_.after_update) {
      ended_ =
          !run_.after_update(server_.version(), [this](Archive& archive) { serialize(archive); });
    }
    if (!ended_) report();
  }

  void report() {
    auto push = std::exchange(pushed_, std::nullopt);
    if (!push || !run_.on_push) return;
    push->applied = server_.applied();
    run_.on_push(*push);
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

  // ---- state ----

  void serialize(Archive& archive) {
    serialize_repeatable(archive);
    const auto scope = archive.scope("time");
    clock_.serialize(archive);
  }

  void serialize_repeatable(Archive& archive) {
    ModelTable models(archive, run_.parameters.numel());
    {
      const auto scope = archive.scope("server");
      server_.serialize(archive, models);
    }
    for (std::size_t w = 0; w < workers_.size(); ++w) {
      const auto scope = archive.scope(fmt::format("worker.{}", w));
      workers_[w].serialize(archive);
      auto& traffic = traffic_[w];
      archive.item("pushes", traffic.pushes);
      archive.item("bytes_up", traffic.bytes_up);
      archive.item("bytes_down", traffic.bytes_down);
      models.item("held", held_[w]);
      archive.item("loss", losses_[w]);
      archive.item("arrived", laps_[w].arrived);
      archive.item("began", laps_[w].began);
      archive.item("computed", laps_[w].computed);
      if (cards_) ups_[w].serialize(archive, "push");
    }
    {
      const auto scope = archive.scope("simulation");
      archive.item("now", now_);
      archive.item("bytes_up", bytes_up_);
      virtual_times_.serialize(archive, "virtual_times");
      durations_.serialize(archive);
      if (cards_) cards_->serialize(archive);
      serialize_queue(archive);
      serialize_versions(archive, models);
      serialize_push(archive);
    }
    models.finish();
  }

  // What the loaded parts must be together.
  void check_loaded() const {
    check(server_.version() <= options_.updates, "version: expected at most {}; got {}",
          options_.updates, server_.version());
    for (const auto& held : held_) {
      check(held || !options_.delays.empty(), "workers: expected that each of them holds a model");
    }
    for (const auto& version : versions_) check(version != nullptr, "versions: expected models");
  }

  void serialize_queue(Archive& archive) {
    const auto scope = archive.scope("queue");
    std::vector<double> times;
    std::vector<std::uint64_t> numbers, workers, whats;
    for (auto left = queue_; !left.empty(); left.pop()) {
      const auto& [time, number, worker, what] = left.top();
      times.push_back(time);
      numbers.push_back(number);
      workers.push_back(static_cast<std::uint64_t>(worker));
      whats.push_back(static_cast<std::uint64_t>(what));
    }
    archive.item("queued", queued_);
    archive.item("times", times);
    archive.item("numbers", numbers);
    archive.item("workers", workers);
    archive.item("events", whats);
    if (!archive.loading()) return;
    check(numbers.size() == times.size() && workers.size() == times.size() &&
              whats.size() == times.size(),
          "queue: expected as many numbers, workers and events as times");
    queue_ = {};
    const auto last = static_cast<std::uint64_t>(cards_ ? What::arrived : What::computed);
    for (std::size_t i = 0; i < times.size(); ++i) {
      check(workers[i] < workers_.size() && whats[i] <= last,
            "queue: expected an event of a worker below {}; got event {} of worker {}",
            workers_.size(), whats[i], workers[i]);
      queue_.emplace(times[i], numbers[i], static_cast<int>(workers[i]),
                     static_cast<What>(whats[i]));
    }
  }

  void serialize_versions(Archive& archive, ModelTable& models) {
    if (!delays_) return;
    const auto scope = archive.scope("versions");
    delays_->serialize(archive);
    std::uint64_t count = versions_.size();
    archive.item("count", count);
    check(count <= delays_->most() + 1, "versions: expected at most {}; got {}",
          delays_->most() + 1, count);
    versions_.resize(count);
    for (std::uint64_t i = 0; i < count; ++i) models.item(std::to_string(i), versions_[i]);
  }

  // The push whose report is still to be made.
  void serialize_push(Archive& archive) {
    std::uint64_t present = pushed_ ? 1 : 0;
    archive.item("pushed", present);
    if (present == 0) return pushed_.reset();
    const auto scope = archive.scope("push");
    if (!pushed_) pushed_.emplace();
    auto worker = static_cast<std::uint64_t>(pushed_->worker);
    archive.item("worker", worker);
    check(worker < workers_.size(), "push: expected a worker below {}; got {}", workers_.size(),
          worker);
    pushed_->worker = static_cast<int>(worker);
    archive.item("loss", pushed_->loss);
    archive.item("seconds", pushed_->seconds);
    archive.item("version", pushed_->version);
    std::uint64_t message_bytes = pushed_->message_bytes;
    archive.item("message_bytes", message_bytes);
    pushed_->message_bytes = message_bytes;
    archive.item("bytes_up", pushed_->bytes_up);
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
  std::optional<Delays> delays_;
  std::deque<ModelCopy> versions_;   // with delays: the last versions, the newest at the end
  std::optional<AsyncPush> pushed_;  // by the event that is being played
  bool ended_ = false;
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
