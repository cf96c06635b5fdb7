// Asynchronous training: W workers and a parameter server that nobody waits for.
//
//   worker:  pull x;  g = gradient at x of the next batch;  push what the compressor makes of g
//   server:  on arrival: x = x - step (async_server.hpp); the model goes back to the worker
//
// Two clocks, one meaning. `virtual_time` simulates: the workers' durations are drawn, and one
// thread plays all workers in the order of time, so a run repeats bit for bit. `real_time` runs a
// thread or a process each and a server over messages, and no two runs are the same.
//
//   AsyncRun run{.parameters = …, .update = *rule, .make_learner = …, .rate = …, .on_push = …};
//   const AsyncResult result = run_async({.workers = 16, .updates = 10'000}, run);
//
// A step is an update. Its staleness is recorded, and every packet counted, headers included.
#pragma once

#include <chrono>
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
#include "tersegrad/optim/optimizer.hpp"

namespace terse {

enum class AsyncClock : std::uint8_t { virtual_time, real_time };
std::string_view to_string(AsyncClock clock);   // "virtual", "real"
AsyncClock parse_clock(std::string_view name);  // UsageError lists the known ones

struct AsyncOptions {
  int workers = 1;
  std::uint64_t updates = 0;  // how many the server makes before all leave
  std::uint64_t seed = 0;
  std::string compressor = "none";
  std::string rule = "vanilla";                       // server_rule.hpp
  std::optional<std::uint64_t> bound = std::nullopt;  // of staleness, in clocks; none: no bound
  bool sparse_pulls = false;                          // model_packet.hpp
  NonFinite non_finite = NonFinite::abort;
  Attack attack = {};  // its steps are those of each worker; on the wire on the real clock alone
  AsyncClock clock = AsyncClock::virtual_time;
  // Of virtual time:
  std::string durations = "exponential";  // durations.hpp
  std::vector<double> speeds = {};        // of the workers, in turn; none: all alike
  double compute = 1;                     // seconds: the mean of durations that are drawn
  std::string delays = {};                // in place of durations; the workers compute in turn
  std::optional<Network> network = std::nullopt;  // in which the server is worker `workers`
  // Of real time:
  std::chrono::milliseconds deadline = std::chrono::minutes(5);  // of every wait
};

// UsageError, with the reason, for what cannot work with this update rule.
void check_async(const AsyncOptions& options, const UpdateRule& update);
// How many pushes an update takes.
int pushes_per_update(const AsyncOptions& options);

// The part of a worker that knows the model. It belongs to the thread that made it.
class Learner {
 public:
  virtual ~Learner() = default;
  struct Result {
    double loss = 0;
    std::span<float> gradient;  // valid until the next call
  };
  // Of the next batch, at this model.
  virtual Result gradient(std::span<const float> model) = 0;
};

// A push that has arrived.
struct AsyncPush {
  int worker = 0;
  double loss = 0;                            // of its batch
  double seconds = 0;                         // on the clock of the run
  std::uint64_t version = 0;                  // updates after it
  std::size_t message_bytes = 0;              // its payload
  std::uint64_t bytes_up = 0;                 // of all workers so far
  std::span<const AppliedPush> applied = {};  // in the update that it has led to, if it has
};

struct AsyncRun {
  ParameterBuffer& parameters;  // the server's model
  UpdateRule& update;           // by which it steps
  std::function<std::unique_ptr<Learner>(int worker)> make_learner;
  std::function<float(std::uint64_t version)> rate;    // called by all threads
  std::function<void(const AsyncPush&)> on_push = {};  // in the server's thread
};

// Of one worker.
struct AsyncTraffic {
  std::uint64_t pushes = 0;
  std::uint64_t bytes_up = 0, bytes_down = 0;  // packets and their headers
};

struct AsyncResult {
  StalenessRecord staleness;
  std::uint64_t updates = 0;
  std::uint64_t dropped = 0;  // pushes
  double seconds = 0;         // on the clock of the run
  PhaseTimes times;           // in all, of this machine; of the server: exchange, update
  PhaseTimes virtual_times;   // in a modelled network, of all pushes: compute; exchange: the rest
  std::vector<AsyncTraffic> traffic;
  std::uint64_t state_hash = 0;  // of the server and, in virtual time, of all workers
};

// With threads of its own; or as the part of one process among others, on the real clock: worker w
// is rank w + 1 of `me`'s run, rank 0 is the server, and only there does the result say anything.
AsyncResult run_async(const AsyncOptions& options, const AsyncRun& run, Worker* me = nullptr);
inline constexpr int kAsyncServer = 0;  // its rank

}  // namespace terse
