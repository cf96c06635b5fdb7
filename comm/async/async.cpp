#include "tersegrad/comm/async/async.hpp"

#include <array>
#include <utility>

#include "tersegrad/comm/async/async_worker.hpp"
#include "tersegrad/comm/network/durations.hpp"
#include "tersegrad/comm/setup/model_setup.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/name_table.hpp"

namespace terse {
namespace {

constexpr NameTable<AsyncClock, 2> kClocks = {
    {{"virtual", AsyncClock::virtual_time}, {"real", AsyncClock::real_time}}};

void check_compressor(const Compressor& compressor) {
  const auto traits = compressor.traits(0);
  check<UsageError>(
      traits.self_contained && traits.phases == 1,
      "{} with an asynchronous server: its packets cannot be applied alone, because they depend on "
      "packets of other workers or of earlier steps; try topk:ratio=0.01+ef",
      compressor.spec());
}

void check_bound(const AsyncOptions& options, const ServerRule& rule) {
  if (!options.bound) return;
  check<UsageError>(rule.gathering.pushes == 1 && !rule.gathering.waits && !rule.hogwild,
                    "staleness {}: expected a rule that applies each push by itself; got {}",
                    *options.bound, rule.spec);
  check<UsageError>(*options.bound > 0 || !rule.correction,
                    "staleness 0: expected no correction, because no push is stale; got {}",
                    rule.spec);
}

void check_clock(const AsyncOptions& options, const ServerRule& rule) {
  if (options.clock == AsyncClock::virtual_time) {
    const Durations durations(options.durations, options.workers, options.speeds, options.seed);
    check<UsageError>(
        !rule.hogwild,
        "hogwild: expected the real clock; got the virtual clock, whose simulation has one thread");
    check<UsageError>(options.compute == 1 || !durations.measured(),
                      "durations measured: expected no mean, because measured seconds are not "
                      "scaled; got a mean of {} s",
                      options.compute);
    if (options.network) NetworkNics(*options.network, options.workers + 1, options.seed);
    if (options.delays.empty()) return;
    const Delays delays(options.delays, options.seed);
    check<UsageError>(
        !options.bound && rule.gathering.pushes == 1 && !options.sparse_pulls && !options.network,
        "delays: expected a rule that applies each push by itself, no bound of staleness, no "
        "sparse pulls and no modelled network, because delays replace the workers' durations");
    return;
  }
  check<UsageError>(
      options.durations == "exponential" && options.speeds.empty() && options.delays.empty(),
      "durations, speeds and delays: expected the virtual clock; got the real clock, which "
      "measures how long the workers take");
  check<UsageError>(!options.network,
                    "network: expected the virtual clock; got the real clock, which measures how "
                    "long packets take");
}

void check_attackers(const AsyncOptions& options, const ServerRule& rule) {
  const auto& attack = options.attack;
  check_attack(attack, options.workers);
  if (!attack.on_wire()) return;
  check<UsageError>(options.clock == AsyncClock::real_time && !rule.hogwild,
                    "attack {}: expected the real clock and a server, because {} sends no packets",
                    to_string(attack), rule.hogwild ? "hogwild" : "a simulation");
  check<UsageError>(attack.kind != Attack::Kind::drop,
                    "attack {}: a worker whose push is lost waits for the model, and the server "
                    "for the push, until the deadline; take duplicate, delay or replay",
                    to_string(attack));
}

void check_hogwild(const AsyncOptions& options, const ServerRule& rule, const UpdateRule& update) {
  if (!rule.hogwild) return;
  check<UsageError>(
      update.spec() == make_update_rule("sgd")->spec(),
      "hogwild: expected the optimizer sgd, because there is no server that keeps state; got {}",
      update.spec());
  check<UsageError>(
      !options.sparse_pulls,
      "hogwild: expected no sparse pulls, because the workers share one model and pull nothing");
}

}  // namespace

std::string_view to_string(AsyncClock clock) {
  return name_in(kClocks, clock);
}

AsyncClock parse_clock(std::string_view name) {
  return value_in(kClocks, "clock", name);
}

void check_async(const AsyncOptions& options, const UpdateRule& update) {
  constexpr int kMostWorkers = 65534;  // the server takes one more rank
  check<UsageError>(options.workers >= 1 && options.workers <= kMostWorkers,
                    "workers: expected 1 to {}; got {}", kMostWorkers, options.workers);
  check<UsageError>(options.non_finite == NonFinite::abort || options.non_finite == NonFinite::zero,
                    "non-finite policy {}: expected abort or zero, because an asynchronous worker "
                    "decides about its gradient alone",
                    to_string(options.non_finite));
  const auto rule = make_server_rule(options.rule, options.workers);
  check_compressor(*make_compressor(options.compressor));
  check_bound(options, rule);
  check_clock(options, rule);
  check_hogwild(options, rule, update);
  check_attackers(options, rule);
}

int pushes_per_update(const AsyncOptions& options) {
  if (options.bound == 0U) return options.workers;
  return make_server_rule(options.rule, options.workers).gathering.pushes;
}

AsyncResult run_async(const AsyncOptions& options, const AsyncRun& run, Worker* me) {
  check_async(options, run.update);
  const bool hogwild = make_server_rule(options.rule, options.workers).hogwild;
  if (me != nullptr) {
    check<UsageError>(options.clock == AsyncClock::real_time,
                      "clock: expected the real clock with one process per worker; got the virtual "
                      "clock, which simulates all workers in one process");
    check<UsageError>(!hogwild,
                      "hogwild: expected workers in one process, because they share memory; got "
                      "one process per worker");
    return run_as(*me, options, run);
  }
  if (hogwild) return run_hogwild(options, run);
  return options.clock == AsyncClock::virtual_time ? run_simulated(options, run)
                                                   : run_threads(options, run);
}

// ---- a worker -----------------------------------------------------------------------------------

AsyncWorker::AsyncWorker(const AsyncOptions& options, const AsyncRun& run, int worker)
    : options_(options),
      run_(run),
      worker_(worker),
      learner_(run.make_learner(worker)),
      compressor_(make_compressor(options.compressor)),
      attack_(options.attack, options.seed, worker, options.workers) {}

double AsyncWorker::compute(std::span<const float> model) {
  const auto [loss, gradient] = learner_->gradient(model);
  pending_ = true;
  gradient_ = grad_views(run_.parameters, gradient);
  attack_.apply(step_, gradient_);
  const auto found = find_non_finite(gradient_);
  if (found.count == 0) return loss;
  if (options_.non_finite != NonFinite::zero) {
    throw NonFiniteGradient(
        fmt::format(
            "gradient: all values must be finite; got {} infinite or NaN values on worker {} at "
            "its step {}, the first in {}; a smaller learning rate may help, or the policy zero",
            found.count, worker_, step_, run_.parameters.infos()[found.tensor].name),
        step_);
  }
  zero_non_finite(gradient_);
  return loss;
}

Round AsyncWorker::encode(std::uint64_t version, Packet& up) {
  const Round round{.seed = options_.seed,
                    .step = step_++,
                    .worker = static_cast<std::uint32_t>(worker_),
                    .workers = static_cast<std::uint32_t>(options_.workers),
                    .lr = run_.rate(version),
                    .count = run_.parameters.numel()};
  compressor_->encode(round, gradient_, up);
  pending_ = false;
  return round;
}

void AsyncWorker::serialize(Archive& archive) {
  archive.set_tensor_names(run_.parameters.names());
  archive.item("step", step_);
  compressor_->serialize(archive);
  attack_.serialize(archive);
  {
    const auto scope = archive.scope("learner");
    learner_->serialize(archive);
  }
  std::vector<float> gradient;
  if (pending_) {
    for (const auto& view : gradient_) {
      gradient.insert(gradient.end(), view.data.begin(), view.data.end());
    }
  }
  archive.item("gradient", gradient);
  if (!archive.loading()) return;
  pending_ = !gradient.empty();
  if (!pending_) return;
  check(std::ssize(gradient) == run_.parameters.numel(), "gradient: expected {} values; got {}",
        run_.parameters.numel(), gradient.size());
  loaded_ = std::move(gradient);
  gradient_ = grad_views(run_.parameters, loaded_);
}

AsyncServer make_server(const AsyncOptions& options, const AsyncRun& run) {
  return AsyncServer({.workers = options.workers,
                      .seed = options.seed,
                      .bound = options.bound,
                      .keep_models = options.sparse_pulls},
                     run.parameters, run.update, make_server_rule(options.rule, options.workers),
                     make_compressor(options.compressor));
}

}  // namespace terse
