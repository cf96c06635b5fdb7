// Real time: one thread or process per worker and one for the server, which exchange messages.
//
//   server (rank 0):     send the model to all workers
//                        until all updates are made:
//                          receive from any worker: its news (a control message), then its push
//                          apply the push; send the model to every worker that is released
//                        receive the pushes that are still under way; send `leave` to all workers;
//                        receive their states, if the run keeps them
//   worker w (rank w+1): until it receives `leave`:
//                          receive the model, compute, encode, send the news and the push
//
// The order of the pushes depends on timing, so runs do not repeat.
//
// Cost: every push takes one packet up and one model down. Pushes after the last update are
// discarded, at most one per worker; if the run pauses before, they are applied.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "tersegrad/comm/async/async_worker.hpp"
#include "tersegrad/comm/async/model_packet.hpp"
#include "tersegrad/comm/faults/faulty_endpoint.hpp"
#include "tersegrad/comm/transport/run_workers.hpp"
#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

int rank_of(int worker) {
  return worker + 1;
}

// The payload of the control message that a worker sends before each push.
struct News {
  double loss = 0, compute_seconds = 0, encode_seconds = 0;
};

class MessageServer {
 public:
  MessageServer(Worker& me, const AsyncOptions& options, const AsyncRun& run)
      : me_(me),
        options_(options),
        run_(run),
        server_(make_server(options, run)),
        steps_(static_cast<std::size_t>(options.workers)),
        busy_(static_cast<std::size_t>(options.workers)) {
    result_.traffic.resize(steps_.size());
  }

  AsyncResult serve() {
    const auto start = std::chrono::steady_clock::now();
    if (run_.resume_server) {
      run_.resume_server([this](Archive& archive) { serialize(archive); });
      check(server_.version() <= options_.updates, "version: expected at most {}; got {}",
            options_.updates, server_.version());
    }
    const auto seconds = [&] {
      return seconds_before_ +
             std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    if (server_.version() < options_.updates) {
      for (int w = 0; w < options_.workers; ++w) {
        if (!server_.waits(w)) send_model(w, false);
      }
    }
    bool pauses = false;
    while (server_.version() < options_.updates && !pauses) {
      take_push(seconds());
      pauses = run_.pauses && !server_.applied().empty() && run_.pauses(server_.version());
      for (const int released : server_.released()) {
        if (server_.version() < options_.updates && !pauses) send_model(released, true);
      }
    }
    while (std::ranges::find(busy_, true) != busy_.end()) {
      server_.version() < options_.updates ? take_push(seconds()) : discard_push();
    }
    result_.seconds = seconds_before_ = seconds();
    for (int w = 0; w < options_.workers; ++w) {
      write_leave(steps_[at(w)], model_);
      me_.send(rank_of(w), model_);
    }
    for (const Part part : {Part::exchange, Part::update}) {
      result_.times[part] += me_.times()[part] - times_before_[part];
    }
    if (run_.keeps_states) collect_states();
    result_.staleness = server_.staleness();
    result_.updates = server_.version();
    result_.dropped = server_.dropped();
    HashArchive hash;
    ModelTable models(hash, run_.parameters.numel());
    server_.serialize(hash, models);
    models.finish();
    result_.state_hash = hash.hash();
    return result_;
  }

 private:
  // Receives the next push and applies it.
  void take_push(double now) {
    const auto [worker, loss] = receive();
    const auto message_bytes = push_.payload().size();
    {
      const auto timed = me_.time(Part::update);
      server_.push(worker, push_, run_.rate(server_.version()));
    }
    if (!run_.on_push) return;
    run_.on_push({.worker = worker,
                  .loss = loss,
                  .seconds = now,
                  .version = server_.version(),
                  .message_bytes = message_bytes,
                  .bytes_up = bytes_up_,
                  .applied = server_.applied()});
  }
  void discard_push() { receive(); }

  // The state between two runs, when no push is under way.
  void serialize(Archive& archive) {
    ModelTable models(archive, run_.parameters.numel());
    server_.serialize(archive, models);
    models.finish();
    archive.item("steps", std::span(steps_));
    archive.item("bytes_up", bytes_up_);
    for (std::size_t w = 0; w < result_.traffic.size(); ++w) {
      const auto scope = archive.scope(fmt::format("traffic.{}", w));
      archive.item("pushes", result_.traffic[w].pushes);
      archive.item("bytes_up", result_.traffic[w].bytes_up);
      archive.item("bytes_down", result_.traffic[w].bytes_down);
    }
    const auto scope = archive.scope("time");
    archive.item("seconds", seconds_before_);
    result_.times.serialize(archive, "parts");
  }

  void collect_states() {
    result_.server_state = safetensors_of([this](Archive& archive) { serialize(archive); });
    for (int w = 0; w < options_.workers; ++w) {
      const auto step = steps_[at(w)];
      const auto state = me_.recv(rank_of(w), {.kind = PacketKind::control, .step = step});
      result_.worker_states.emplace_back(state.payload().begin(), state.payload().end());
    }
  }

  // Receives the next push into `push_`. Returns its worker and its loss.
  std::pair<int, double> receive() {
    const auto timed = me_.time(Part::exchange);
    const int from = me_.recv_any(
        {.kind = PacketKind::control, .payload_bytes = sizeof(News)},
        [this](int rank) { return steps_[at(rank - 1)]; }, in_);
    const int worker = from - 1;
    News news;
    std::memcpy(&news, in_.payload().data(), sizeof news);
    result_.times.seconds[static_cast<std::size_t>(Part::compute)] += news.compute_seconds;
    result_.times.seconds[static_cast<std::size_t>(Part::encode)] += news.encode_seconds;
    me_.recv(from, {.kind = PacketKind::up, .step = steps_[at(worker)]}, push_);
    check<PacketError>(push_.header().worker == worker,
                       "push: expected worker {} in the header; got worker {}", worker,
                       push_.header().worker);
    ++steps_[at(worker)];
    busy_[at(worker)] = false;
    auto& traffic = result_.traffic[at(worker)];
    ++traffic.pushes;
    traffic.bytes_up += push_.size_bytes();
    bytes_up_ += push_.size_bytes();
    return {worker, news.loss};
  }

  // `again`: the worker has an earlier version, from which a sparse pull can start.
  void send_model(int worker, bool again) {
    const auto held = server_.held_by(worker);
    server_.pull(worker);
    const bool sparse = options_.sparse_pulls && again && held;
    write_model(steps_[at(worker)], server_.version(), server_.model(),
                sparse ? held->span() : std::span<const float>(), model_);
    me_.send(rank_of(worker), model_);
    result_.traffic[at(worker)].bytes_down += model_.size_bytes();
    busy_[at(worker)] = true;
  }

  static std::size_t at(int worker) { return static_cast<std::size_t>(worker); }

  Worker& me_;
  const AsyncOptions& options_;
  const AsyncRun& run_;
  AsyncServer server_;
  std::vector<std::uint64_t> steps_;  // by worker: number of its pushes
  std::vector<bool> busy_;            // by worker: has the model, and its push has not arrived
  std::uint64_t bytes_up_ = 0;
  double seconds_before_ = 0;  // of the run before it paused
  PartTimes times_before_ = me_.times();
  Packet in_, push_, model_;
  AsyncResult result_;
};

// Returns the state of the worker if the run keeps it.
std::vector<std::byte> work(Worker& me, const AsyncOptions& options, const AsyncRun& run) {
  AsyncWorker worker(options, run, me.rank() - 1);
  const auto serialize = [&](Archive& archive) { worker.serialize(archive); };
  if (run.resume_worker) run.resume_worker(worker.number(), serialize);
  std::vector<float> model(static_cast<std::size_t>(run.parameters.numel()));
  Packet pulled, up, out;
  for (;;) {
    me.recv(kAsyncServer, {.kind = PacketKind::down, .step = worker.step()}, pulled);
    const auto [leave, version] = read_model(pulled, model);
    if (leave) break;
    const auto before = me.times();
    const auto step = static_cast<std::uint32_t>(worker.step());
    News news;
    {
      const auto timed = me.time(Part::compute);
      news.loss = worker.compute(model);
    }
    {
      const auto timed = me.time(Part::encode);
      worker.encode(version, up);
    }
    const auto times = me.times() - before;
    news.compute_seconds = times[Part::compute];
    news.encode_seconds = times[Part::encode];
    out.start({.kind = PacketKind::control, .step = step}, sizeof news);
    std::memcpy(out.payload().data(), &news, sizeof news);
    me.send(kAsyncServer, out);
    me.send(kAsyncServer, up);
  }
  if (!run.keeps_states) return {};
  auto state = safetensors_of(serialize);
  me.send(kAsyncServer,
          {.kind = PacketKind::control, .step = static_cast<std::uint32_t>(worker.step())}, state);
  return state;
}

}  // namespace

AsyncResult run_as(Worker& me, const AsyncOptions& options, const AsyncRun& run) {
  me.set_deadline(options.deadline);
  check<UsageError>(me.size() == options.workers + 1,
                    "{} workers and a server: expected {} ranks; got {}", options.workers,
                    options.workers + 1, me.size());
  // A process keeps its Worker when a run pauses.
  if (!me.endpoint_is_wrapped()) install_faults(me, options.attack, options.seed);
  if (me.rank() == kAsyncServer) return MessageServer(me, options, run).serve();
  AsyncResult result;
  result.worker_states.push_back(work(me, options, run));
  return result;
}

AsyncResult run_threads(const AsyncOptions& options, const AsyncRun& run) {
  AsyncResult result;
  run_workers({.workers = options.workers + 1, .deadline = options.deadline}, [&](Worker& me) {
    auto own = run_as(me, options, run);
    if (me.rank() == kAsyncServer) result = std::move(own);
  });
  return result;
}

}  // namespace terse
