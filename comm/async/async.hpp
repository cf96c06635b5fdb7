// Asynchronous training: W workers and a parameter server that applies pushes when they arrive.
//
//   worker:  pull x;  g = gradient at x of the next batch;  push the compressed g
//   server:  on arrival: x = x - step (async_server.hpp); send the model to the worker
//
// There are two clocks. `virtual_time` simulates: durations of workers are drawn, and one thread
// plays all workers in the order of virtual time, so a run repeats bit for bit. `real_time` runs
// each worker in a thread or a process and a server that receives messages; such runs do not
// repeat.
//
//   AsyncRun run{.parameters = …, .update = *rule, .make_learner = …, .rate = …, .on_push = …};
//   const AsyncResult result = run_async({.workers = 16, .updates = 10'000}, run);
//
// A step is an update of the server. The staleness of every push is recorded, and every packet is
// counted with its header.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/comm/async/async_server.hpp"
#include "tersegrad/comm/async/staleness.hpp"
#include "tersegrad/comm/faults/attack.hpp"
#include "tersegrad/comm/network/network_model.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/comm/transport/accounting.hpp"
#include "tersegrad/comm/transport/worker.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/core/safetensors.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse {

enum class AsyncClock : std::uint8_t { virtual_time, real_time };
std::string_view to_string(AsyncClock clock);   // "virtual", "real"
AsyncClock parse_clock(std::string_view name);  // throws UsageError with the known names

struct AsyncOptions {
  int workers = 1;
  std::uint64_t updates = 0;  // the run ends after so many updates
  std::uint64_t seed = 0;
  std::string compressor = "none";
  std::string rule = "vanilla";                       // server_rule.hpp
  std::optional<std::uint64_t> bound = std::nullopt;  // of staleness, in clocks; none: no bound
  bool sparse_pulls = false;                          // model_packet.hpp
  NonFinite non_finite = NonFinite::abort;            // abort or zero
  Attack attack = {};  // steps are those of the worker; wire attacks need the real clock
  AsyncClock clock = AsyncClock::virtual_time;
  // Virtual time only:
  std::string durations = "exponential";          // durations.hpp
  std::vector<double> speeds = {};                // worker w has speeds[w % size]; empty: all are 1
  double compute = 1;                             // mean of drawn durations, in seconds
  std::string delays = {};                        // replaces durations; the workers compute in turn
  std::optional<Network> network = std::nullopt;  // the server has the number `workers` in it
  // Real time only:
  std::chrono::milliseconds deadline = std::chrono::minutes(5);  // of every wait
};

// Throws UsageError, with the reason, for options that do not fit together or the update rule.
void check_async(const AsyncOptions& options, const UpdateRule& update);
// The number of pushes in an update.
int pushes_per_update(const AsyncOptions& options);

// The part of a worker that knows the model. It belongs to the thread that made it.
class Learner {
 public:
  virtual ~Learner() = default;
  struct Result {
    double loss = 0;
    std::span<float> gradient;  // valid until the next call
  };
  // The loss and the gradient of the next batch at this model.
  virtual Result gradient(std::span<const float> model) = 0;
  // The place in the data, and all else that the next gradient depends on.
  virtual void serialize(Archive& /*archive*/) {}
};

// A push that the server has processed.
struct AsyncPush {
  int worker = 0;
  double loss = 0;                            // of its batch
  double seconds = 0;                         // on the clock of the run
  std::uint64_t version = 0;                  // of the model after this push
  std::size_t message_bytes = 0;              // payload bytes of this push
  std::uint64_t bytes_up = 0;                 // sent by all workers so far, headers included
  std::span<const AppliedPush> applied = {};  // the pushes of the update that it caused, if any
};

// A gradient that a worker has just encoded.
struct EncodedPush {
  Round round;  // round.step counts the worker's own gradients
  std::span<const GradView> gradient;
  const Packet& packet;
};

struct AsyncRun {
  ParameterBuffer& parameters;  // the server's model
  UpdateRule& update;           // the server's update rule
  std::function<std::unique_ptr<Learner>(int worker)> make_learner;
  std::function<float(std::uint64_t version)> rate;    // learning rate; must be thread-safe
  std::function<void(const AsyncPush&)> on_push = {};  // called by one thread at a time

  // Virtual time only. Called after every update, before its on_push: `state` saves or hashes the
  // state of the whole run. The run ends there if it returns false.
  std::function<bool(std::uint64_t version, Serialize state)> after_update = {};
  // Virtual time only. Called after every encode. It takes no time of the run.
  std::function<void(const EncodedPush&)> on_encode = {};
  // Virtual time only. If set, called first: it must load `state`. The run then continues with the
  // on_push before which that state was saved.
  std::function<void(Serialize state)> resume = {};

  // Real time with a server only. Called by the server after every update: if it returns true, the
  // server takes the pushes that are under way, and the run pauses.
  std::function<bool(std::uint64_t version)> pauses = {};
  // Whether the result has the states of the server and the workers.
  bool keeps_states = false;
  // If set, it must load one of these states: that of the server, or of a worker.
  std::function<void(Serialize state)> resume_server = {};
  std::function<void(int worker, Serialize state)> resume_worker = {};
};

// The traffic of one worker.
struct AsyncTraffic {
  std::uint64_t pushes = 0;
  std::uint64_t bytes_up = 0, bytes_down = 0;  // headers included
};

struct AsyncResult {
  StalenessRecord staleness;
  std::uint64_t updates = 0;
  std::uint64_t dropped = 0;  // pushes that the rule dropped
  double seconds = 0;         // on the clock of the run
  PartTimes times;            // real seconds of all workers; of the server: exchange, update
  PartTimes virtual_times;    // virtual seconds of all pushes: compute, and the rest as exchange
  std::vector<AsyncTraffic> traffic;  // by worker
  // With keeps_states, as safetensors files in memory. On a rank of a worker: its own state alone.
  std::vector<std::byte> server_state = {};
  std::vector<std::vector<std::byte>> worker_states = {};
  std::uint64_t state_hash = 0;  // of the whole run in virtual time; otherwise of the server
};

// Runs asynchronous training. Without `me`, in this process. With `me`, as one process of several,
// on the real clock: rank 0 of `me`'s run is the server, rank w + 1 is worker w. The result is
// filled in only on the server. Throws UsageError as check_async does.
AsyncResult run_async(const AsyncOptions& options, const AsyncRun& run, Worker* me = nullptr);
inline constexpr int kAsyncServer = 0;  // the server's rank

}  // namespace terse
