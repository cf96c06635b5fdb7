// The checks of a configuration, in the order in which the user gets their errors.
#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>

#include "examples/run/async_flags.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/config.hpp"
#include "examples/run/methods.hpp"
#include "examples/run/record_request.hpp"
#include "tersegrad/comm/faults/attack.hpp"
#include "tersegrad/comm/network/network_model.hpp"
#include "tersegrad/comm/topology/robust_compressor.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/datasets.hpp"
#include "tersegrad/nn/models.hpp"
#include "tersegrad/optim/conservation.hpp"
#include "tersegrad/optim/optimizer.hpp"
#include "tersegrad/optim/schedule.hpp"

namespace terse::run {
namespace {

// Each value alone, so that an error names its flag.
void check_names(const RunConfig& c) {
  for_flag("--model", [&] { nn::model_kind(c.model); });
  for_flag("--topology", [&] { c.topology.value(); });
  for_flag("--all-reduce", [&] { c.all_reduce.value(); });
  for_flag(c.compressor_flag, [&] { make_compressor(c.compressor); });
  for_flag("--aggregate", [&] { parse_aggregation(c.aggregate); });
  for_flag("--optimizer", [&] {
    if (!c.optimizer.empty()) make_update_rule(c.optimizer);
  });
  for_flag("--outer", [&] { make_update_rule(c.outer); });
  for_flag("--schedule", [&] { make_schedule(c.schedule); });
  for_flag("--evaluate", [&] { c.evaluate.value(); });
  for_flag("--non-finite", [&] { c.non_finite.value(); });
  for_flag("--on-failure", [&] { c.on_failure.value(); });
  for_flag("--attack", [&] { parse_attack(c.attack); });
  for_flag("--network", [&] {
    if (c.network) parse_network(*c.network);
  });
  for_flag("--compute", [&] {
    if (c.compute) parse_seconds(*c.compute);
  });
}

void check_range(const char* flag, std::int64_t value, std::int64_t low, std::int64_t high) {
  check<UsageError>(value >= low && value <= high,
                    "{}: expected a whole number from {} to {}; got {}", flag, low, high, value);
}

void check_ranges(const RunConfig& c) {
  constexpr std::int64_t kMany = std::int64_t{1} << 40;
  check_range("--workers", c.workers, 1, 1024);
  check_range("--servers", c.servers, 1, c.workers);
  check_range("--batch", c.batch, 1, kMany);
  check_range("--epochs", c.epochs, 0, kMany);
  check_range("--steps", c.steps, 0, kMany);
  check_range("--threads", c.threads, 0, 1024);
  check_range("--eval-every", c.eval_every, 0, kMany);
  check_range("--eval-steps", c.eval_steps, 0, kMany);
  check_range("--checkpoint-every", c.checkpoint_every, 0, kMany);
  check_range("--max-skipped", c.max_skipped, 0, kMany);
  check_range("--local-steps", c.local_steps, 0, kMany);
  check_range("--local-after", c.local_after, 0, kMany);
  check<UsageError>(c.epochs > 0 || c.steps > 0, "--epochs: expected at least 1, or --steps");
}

void check_transport(const RunConfig& c) {
  for_flag("--transport", [&] { c.transport.value(); });
  if (c.transport == Transport::threads) return;
  check<UsageError>(c.topology != RunTopology::local,
                    "--topology local with --transport mpi: workers of topology local share "
                    "memory; use ring, server or async");
  check<UsageError>(!c.is_async() || c.async.clock == AsyncClock::real_time,
                    "--transport mpi with --topology async: --clock virtual simulates all "
                    "workers in one process; use --clock real");
}

// Workers that compute at the same time use all cores by themselves: more threads would compete.
void choose_threads(RunConfig& c) {
  if (c.threads != 0) return;
  const std::int64_t cores = std::max(1U, std::thread::hardware_concurrency());
  const bool one_at_a_time = c.topology == RunTopology::local || c.network ||
                             (c.is_async() && c.async.clock == AsyncClock::virtual_time);
  const bool full = c.workers >= cores || c.transport == Transport::mpi;
  c.threads = !one_at_a_time && full ? 1 : cores;
}

bool reads_text(const RunConfig& c) {
  return nn::model_kind(c.model) == nn::ModelKind::text;
}

void check_model_fits_data(const RunConfig& c) {
  check<UsageError>(!reads_text(c) || is_text(c.data),
                    "--model {}: expected --data with text; got {}, which has images; try --data "
                    "kjv",
                    c.model, c.data);
  check<UsageError>(reads_text(c) || !is_text(c.data),
                    "--model {}: expected --data with images; got {}, which is text; try --model "
                    "lstm",
                    c.model, c.data);
}

void choose_optimizer(RunConfig& c) {
  const double share = c.is_async() ? share_of_workers(c) : 1;
  const auto advice = share < 1 ? recommended_stale(c.compressor, reads_text(c), share)
                                : recommended(c.compressor, reads_text(c));
  if (c.optimizer.empty()) c.optimizer = advice.optimizer;
  if (c.weight_decay_on) {
    auto spec = Spec::parse(c.optimizer);
    spec.stages.front().options.push_back(
        {"weight_decay_on", std::exchange(c.weight_decay_on, {})});
    c.optimizer = spec.to_string();
  }
  if (!c.lr) c.lr = advice.lr;
}

void check_optimizer(const RunConfig& c) {
  check<UsageError>(*c.lr > 0 && *c.lr < 1e6,
                    "--lr: expected a number above 0 and below 1e6; got {}", *c.lr);
  for_flag("--weight-decay-on", [&] { make_update_rule(c.optimizer); });
  if (c.is_async()) return;
  for_flag("--optimizer", [&] {
    const auto rule = make_update_rule(c.optimizer);
    make_compressor(c.compressor)->attach(*rule);
  });
}

void check_measurement(const RunConfig& c) {
  for_flag("--measure", [&] { c.measure.value(); });
  for_flag("--check-laws", [&] { c.check_laws.value(); });
  if (c.check_laws.value().every == 0) return;
  check<UsageError>(!c.is_async(),
                    "--check-laws with --topology async is not available: expected local, ring or "
                    "server");
  bool declares = false;
  make_compressor(c.compressor, [&](std::unique_ptr<Compressor> stage, bool) {
    declares |= dynamic_cast<ConservingStage*>(stage.get()) != nullptr;
    return stage;
  });
  check<UsageError>(declares,
                    "--check-laws with {} {}: the method declares no conservation law; expected "
                    "error feedback (+ef), doublesqueeze or dgc",
                    c.compressor_flag, c.compressor);
}

void check_record(const RunConfig& c) {
  if (!c.record) return;
  parse_record(*c.record);
  check<UsageError>(!c.is_async() || c.async.clock == AsyncClock::virtual_time,
                    "--record with --clock real: no two such runs are equal, and writing files "
                    "would change the order of the pushes; use --clock virtual");
}

void check_local_steps(const RunConfig& c) {
  check<UsageError>(c.local_steps > 0 || (c.local_after == 0 && c.outer == "sgd" && !c.outer_lr),
                    "--local-after, --outer and --outer-lr require --local-steps, the number of "
                    "steps from one average of the models to the next");
  const double outer_lr = c.outer_lr.value_or(1);
  check<UsageError>(outer_lr > 0 && outer_lr < 1e6,
                    "--outer-lr: expected a number above 0 and below 1e6; got {}", outer_lr);
  check<UsageError>(c.local_steps == 0 || !make_compressor(c.compressor)->traits(0).scale_free,
                    "--local-steps with {} {}: the compressor sends directions without "
                    "magnitudes; use none or a compressor that sends magnitudes",
                    c.compressor_flag, c.compressor);
  if (c.local_steps == 0) return;
  for_flag("--outer", [&] { make_compressor(c.compressor)->attach(*make_update_rule(c.outer)); });
}

void check_deadline(const RunConfig& c) {
  check<UsageError>(!c.deadline || (*c.deadline >= 0 && *c.deadline <= 1e9),
                    "--deadline: expected 0 to 1e9 seconds; got {}", c.deadline.value_or(0));
}

void check_attack_flag(RunConfig& c) {
  const auto attack = parse_attack(c.attack);
  check_attack(attack, static_cast<int>(c.workers));
  c.attack = to_string(attack);
  if (attack.kind == Attack::Kind::none) return;
  check<UsageError>(c.local_steps == 0 || attack.on_wire(),
                    "--attack {} with --local-steps is not available yet: workers exchange "
                    "models instead of gradients; use an attack on packets",
                    c.attack);
  check<UsageError>(c.topology != RunTopology::local || !attack.on_wire(),
                    "--attack {} with --topology local: topology local sends no packets; use "
                    "ring or server",
                    c.attack);
}

void check_leaving_workers(const RunConfig& c) {
  if (!may_shrink(c)) return;
  const auto* flag =
      c.on_failure == OnFailure::go_on ? "--on-failure continue" : "--non-finite drop_worker";
  check<UsageError>(c.transport == Transport::threads,
                    "{} with --transport mpi: mpirun ends the whole job when a process ends with "
                    "an error, so no worker could continue; use --transport threads",
                    flag);
  check<UsageError>(!c.is_async(),
                    "{} with --topology async is not available: its workers have no common step "
                    "from which they could continue; use local, ring or server",
                    flag);
  check<UsageError>(c.local_steps == 0,
                    "{} with --local-steps is not available: workers agree only when their "
                    "models are averaged, and the models have changed since the last average",
                    flag);
}

void check_bucket_flag(const RunConfig& c) {
  const double mb = c.bucket_mb.value_or(0);
  check<UsageError>(mb >= 0 && mb <= 1e6, "--bucket-mb: expected 0 to 1e6 MB; got {}", mb);
  if (mb == 0) return;
  check<UsageError>(!c.is_async(),
                    "--bucket-mb with --topology async: asynchronous workers push whole "
                    "gradients; leave out --bucket-mb");
  check<UsageError>(c.local_steps == 0,
                    "--bucket-mb with --local-steps: models are averaged after the step, when "
                    "there is no backward to overlap with; leave one of them out");
  check<UsageError>(!may_shrink(c),
                    "--bucket-mb with workers that may leave: some buckets of the step have "
                    "already been averaged with them; leave out --bucket-mb, or --on-failure "
                    "continue and --non-finite drop_worker");
  check_buckets(*make_compressor(c.compressor), c.non_finite.value());
}

void check_network(RunConfig& c) {
  check<UsageError>(c.network || !c.compute,
                    "--compute requires --network: without a modelled network there is no "
                    "virtual time");
  if (!c.network) return;
  check<UsageError>(c.transport == Transport::threads,
                    "--network with --transport mpi: processes use a real network; leave one of "
                    "them out");
  check<UsageError>(c.topology != RunTopology::local,
                    "--network with --topology local: topology local sends no messages; use ring "
                    "or server");
  const auto network = parse_network(*c.network);
  // Throws for a worker that does not exist. An asynchronous server is one more.
  const int ranks = static_cast<int>(c.workers) + (c.is_async() ? 1 : 0);
  [[maybe_unused]] const NetworkNics checked(network, ranks, 0);
  c.network = to_string(network);
  if (c.compute) parse_seconds(*c.compute);
}

void check_aggregation(RunConfig& c) {
  const auto aggregation = parse_aggregation(c.aggregate);
  c.aggregate = to_string(aggregation);
  check<UsageError>(!c.is_async() || aggregation.rule == Aggregation::Rule::mean,
                    "--aggregate {} with --topology async: pushes are applied one by one, so "
                    "there is no set of gradients to aggregate; use --topology server",
                    c.aggregate);
}

// The compressor, the topology and the aggregation rule together.
void check_exchange(const RunConfig& c) {
  if (!c.is_async()) TopologyPlan(topology_options(c), *make_run_compressor(c));
}

}  // namespace

void complete(RunConfig& c) {
  check_names(c);
  check_ranges(c);
  check_transport(c);
  choose_threads(c);
  check_model_fits_data(c);
  choose_optimizer(c);
  check_optimizer(c);
  check_measurement(c);
  check_record(c);
  check_local_steps(c);
  check_deadline(c);
  check_attack_flag(c);
  check_leaving_workers(c);
  check_bucket_flag(c);
  check_network(c);
  check_async_flags(c);
  check_aggregation(c);
  check_exchange(c);
}

}  // namespace terse::run
