#include "examples/run/config.hpp"

#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "examples/run/command_line.hpp"
#include "examples/run/fault_flags.hpp"
#include "examples/run/methods.hpp"
#include "tersegrad/comm/faults/attack.hpp"
#include "tersegrad/comm/network/network_model.hpp"
#include "tersegrad/comm/topology/robust_compressor.hpp"
#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/comm/training/distributed_optimizer.hpp"
#include "tersegrad/comm/transport/failure.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/kernels/gemm/choice.hpp"
#include "tersegrad/core/simd/isa.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/data/datasets.hpp"
#include "tersegrad/nn/models.hpp"
#include "tersegrad/optim/optimizer.hpp"
#include "tersegrad/optim/schedule.hpp"

namespace terse::run {

void add_data_flags(CommandLine& command_line, RunConfig& c) {
  command_line.flag("--model", c.model, "mlp, lenet, resnet20, resnet18, lstm:hidden=650")
      .flag("--data", c.data, "fashion-mnist, cifar10, images, kjv, text:path=...");
}

void add_training_flags(CommandLine& command_line, RunConfig& c) {
  command_line.flag("--workers", c.workers, "how many train together, each with a replica")
      .flag("--topology", c.topology, "local, ring, server or async")
      .flag("--servers", c.servers, "shards of the parameter server")
      .flag("--all-reduce", c.all_reduce, "ring, tree, halving or auto: the quickest")
      .flag("--aggregate", c.aggregate, "mean, median, trimmed:f=1 or krum:f=1: bear liars")
      .flag("--optimizer", c.optimizer, "sgd:momentum=, adam+clip:norm= [by compressor]")
      .flag("--lr", c.lr, "learning rate [by compressor]")
      .flag("--weight-decay-on", c.weight_decay_on, "all, or matrices: no bias, no normalisation")
      .flag("--schedule", c.schedule, "constant, step, linear or cosine; with warmup=EPOCHS")
      .flag("--local-steps", c.local_steps, "models meet after so many steps; 0: gradients do")
      .flag("--local-after", c.local_after, "so many first steps in which gradients meet")
      .flag("--outer", c.outer, "rule of a meeting; DiLoCo: sgd:momentum=0.9,nesterov")
      .flag("--outer-lr", c.outer_lr, "its rate [1: the mean of the models]")
      .flag("--batch", c.batch, "samples per worker and step")
      .flag("--epochs", c.epochs, "passes over the training data")
      .flag("--steps", c.steps, "stop after so many steps; 0: by epochs")
      .flag("--seed", c.seed, "of everything random")
      .flag("--threads", c.threads, "of the process; 0: a core each; many workers, mpi: 1")
      .flag("--partition", c.partition, "iid, shared or by-label:K")
      .flag("--exact-convolution", c.exact_convolution,
            "never Winograd's method: slower, rounds less")
      .flag("--non-finite", c.non_finite, "abort, skip_step, zero or drop_worker")
      .flag("--max-skipped", c.max_skipped, "skipped steps in a row that end the run; 0: any")
      .flag("--eval-every", c.eval_every, "test after so many epochs; 0: only at the end")
      .flag("--network", c.network, "a modelled one: 10gbe, 1gbe, wan or 10Gbps,20us")
      .flag("--compute", c.compute, "with it: of a step, declared, 5ms [measured]")
      .flag("--bucket-mb", c.bucket_mb, "send gradients in such buckets during backward [no]");
  add_fault_flags(command_line, c);
}

namespace {

void check_range(const char* flag, std::int64_t value, std::int64_t low, std::int64_t high) {
  check<UsageError>(value >= low && value <= high,
                    "{}: a whole number from {} to {} is wanted; got {}", flag, low, high, value);
}

void complete_virtual_time(RunConfig& c) {
  check<UsageError>(c.network || !c.compute,
                    "--compute goes with --network: without a modelled network there is no virtual "
                    "time");
  if (!c.network) return;
  check<UsageError>(c.transport == "threads",
                    "--network with --transport mpi: processes have a real network; leave one out");
  check<UsageError>(c.topology != "local",
                    "--network with --topology local: it sends no messages; take ring or server");
  const auto network = parse_network(*c.network);
  // Throws for a worker that there is not. An asynchronous server is one more.
  NetworkCards(network, static_cast<int>(c.workers) + (c.topology == "async" ? 1 : 0), 0);
  c.network = to_string(network);
  if (c.compute) parse_seconds(*c.compute);
}

void check_bucket_flag(const RunConfig& c) {
  const double mb = c.bucket_mb.value_or(0);
  check<UsageError>(mb >= 0 && mb <= 1e6, "--bucket-mb: 0 to 1e6 MB; got {}", mb);
  if (mb == 0) return;
  check<UsageError>(c.topology != "async",
                    "--bucket-mb with --topology async: its workers push whole gradients and wait "
                    "for nobody; leave it out");
  check<UsageError>(c.local_steps == 0,
                    "--bucket-mb with --local-steps: models meet after the step, when nothing is "
                    "left to overlap with; leave one out");
  check<UsageError>(!may_shrink(c),
                    "--bucket-mb with workers that may leave: some buckets of a step have met with "
                    "them then; leave out --bucket-mb, --on-failure and --non-finite drop_worker");
}

// Each value by itself, so that an error names its flag.
void check_values(const RunConfig& c) {
  for_flag("--model", [&] { nn::model_kind(c.model); });
  check<UsageError>(c.topology == "local" || c.topology == "ring" || c.topology == "server" ||
                        c.topology == "async",
                    "--topology: {}",
                    unknown_name("topology", c.topology, {"local", "ring", "server", "async"}));
  for_flag("--all-reduce", [&] { parse_all_reduce(c.all_reduce); });
  for_flag(c.compressor_flag, [&] { make_compressor(c.compressor); });
  for_flag("--aggregate", [&] { parse_aggregation(c.aggregate); });
  for_flag("--optimizer", [&] {
    if (!c.optimizer.empty()) make_update_rule(c.optimizer);
  });
  for_flag("--outer", [&] { make_update_rule(c.outer); });
  for_flag("--schedule", [&] { make_schedule(c.schedule); });
  for_flag("--non-finite", [&] { parse_non_finite(c.non_finite); });
  for_flag("--on-failure", [&] { parse_on_failure(c.on_failure); });
  for_flag("--attack", [&] { parse_attack(c.attack); });
  for_flag("--network", [&] {
    if (c.network) parse_network(*c.network);
  });
  for_flag("--compute", [&] {
    if (c.compute) parse_seconds(*c.compute);
  });
}

}  // namespace

void complete(RunConfig& c) {
  check_values(c);
  constexpr std::int64_t kMany = std::int64_t{1} << 40;
  check_range("--workers", c.workers, 1, 1024);
  check_range("--servers", c.servers, 1, c.workers);
  check_range("--batch", c.batch, 1, kMany);
  check_range("--epochs", c.epochs, 0, kMany);
  check_range("--steps", c.steps, 0, kMany);
  check_range("--threads", c.threads, 0, 1024);
  check_range("--eval-every", c.eval_every, 0, kMany);
  check_range("--max-skipped", c.max_skipped, 0, kMany);
  check_range("--local-steps", c.local_steps, 0, kMany);
  check_range("--local-after", c.local_after, 0, kMany);
  check<UsageError>(c.epochs > 0 || c.steps > 0, "--epochs: at least 1 is wanted, or --steps");
  check<UsageError>(c.transport == "threads" || c.transport == "mpi", "--transport: {}",
                    unknown_name("transport", c.transport, {"threads", "mpi"}));
  check<UsageError>(c.transport == "threads" || c.topology != "local",
                    "--topology local with --transport mpi: its workers share memory; take ring, "
                    "server or async");
  check<UsageError>(
      c.transport == "threads" || c.topology != "async" || c.async.clock == "real",
      "--transport mpi with --topology async: a simulation is one process; take --clock real");
  if (c.threads == 0) {
    // Workers that run at once fill the cores by themselves: more threads would only compete.
    const std::int64_t cores = std::max(1U, std::thread::hardware_concurrency());
    const bool one_at_a_time =
        c.topology == "local" || c.network || (c.topology == "async" && c.async.clock == "virtual");
    const bool full = c.workers >= cores || c.transport == "mpi";
    c.threads = !one_at_a_time && full ? 1 : cores;
  }

  const bool reads_text = nn::model_kind(c.model) == nn::ModelKind::text;
  check<UsageError>(!reads_text || is_text(c.data),
                    "--model {}: it reads text, and --data {} is no text; try --data kjv", c.model,
                    c.data);
  check<UsageError>(reads_text || !is_text(c.data),
                    "--data {}: it is text, and --model {} looks at images; try --model lstm",
                    c.data, c.model);

  const double share = c.topology == "async" ? share_of_workers(c) : 1;
  const auto advice = share < 1 ? recommended_stale(c.compressor, reads_text, share)
                                : recommended(c.compressor, reads_text);
  if (c.optimizer.empty()) c.optimizer = advice.optimizer;
  if (c.weight_decay_on) {
    auto spec = Spec::parse(c.optimizer);
    spec.stages.front().options.push_back(
        {"weight_decay_on", std::exchange(c.weight_decay_on, {})});
    c.optimizer = spec.to_string();
  }
  if (!c.lr) c.lr = advice.lr;
  check<UsageError>(*c.lr > 0 && *c.lr < 1e6, "--lr: a number above 0 is wanted; got {}", *c.lr);

  const auto compressor = make_compressor(c.compressor);
  for_flag("--weight-decay-on", [&] { make_update_rule(c.optimizer); });
  check<UsageError>(c.measure == "none" || c.measure == "density", "--measure: {}",
                    unknown_name("measurement", c.measure, {"none", "density"}));
  check<UsageError>(c.local_steps > 0 || (c.local_after == 0 && c.outer == "sgd" && !c.outer_lr),
                    "--local-after, --outer and --outer-lr go with --local-steps; how many steps "
                    "from meeting to meeting?");
  const double outer_lr = c.outer_lr.value_or(1);
  check<UsageError>(outer_lr > 0 && outer_lr < 1e6,
                    "--outer-lr: a number above 0 is wanted; got {}", outer_lr);
  check<UsageError>(c.local_steps == 0 || !compressor->traits(0).scale_free,
                    "--local-steps with {} {}: it says which way the models went and not how far; "
                    "take none or a compressor with magnitudes",
                    c.compressor_flag, c.compressor);
  const auto policy = parse_non_finite(c.non_finite);
  check_fault_flags(c);
  check_bucket_flag(c);
  if (bucket_bytes(c) > 0) check_buckets(*compressor, policy);
  complete_virtual_time(c);
  check_async_flags(c);
  c.aggregate = to_string(parse_aggregation(c.aggregate));
  if (c.topology == "async") {
    check<UsageError>(c.aggregate == "mean",
                      "--aggregate {} with --topology async: pushes are applied one by one, so "
                      "there are none to choose from; take --topology server",
                      c.aggregate);
    return;
  }
  TopologyPlan(topology_options(c), *make_run_compressor(c));
}

double bucket_bytes(const RunConfig& c) {
  return 1e6 * c.bucket_mb.value_or(0);
}

TopologyOptions topology_options(const RunConfig& c) {
  TopologyOptions options{.kind = parse_topology(c.topology),
                          .workers = static_cast<int>(c.workers),
                          .servers = static_cast<int>(c.servers),
                          .all_reduce = parse_all_reduce(c.all_reduce)};
  if (c.network) {
    const auto network = parse_network(*c.network);
    options.link = {.latency = network.latency, .bytes_per_second = network.bits_per_second / 8};
  }
  return options;
}

std::unique_ptr<Compressor> make_run_compressor(const RunConfig& c) {
  return with_aggregation(parse_aggregation(c.aggregate), topology_options(c),
                          make_compressor(c.compressor));
}

nlohmann::json to_json(const RunConfig& c) {
  nlohmann::json json = {{"model", c.model},
                         {"data", c.data},
                         {"workers", c.workers},
                         {"transport", c.transport},
                         {"topology", c.topology},
                         {"servers", c.servers},
                         {"all_reduce", c.all_reduce},
                         {"compressor", make_compressor(c.compressor)->spec()},
                         {"aggregate", c.aggregate},
                         {"optimizer", make_update_rule(c.optimizer)->spec()},
                         {"lr", c.lr.value_or(0)},
                         {"schedule", c.schedule},
                         {"batch", c.batch},
                         {"epochs", c.epochs},
                         {"steps", c.steps},
                         {"seed", c.seed},
                         {"threads", c.threads},
                         {"isa", isa_name(isa())},
                         {"float_products", kernels::describe_products()},
                         {"partition", c.partition},
                         {"exact_convolution", c.exact_convolution},
                         {"non_finite", c.non_finite},
                         {"max_skipped", c.max_skipped},
                         {"attack", c.attack},
                         {"on_failure", c.on_failure},
                         {"local_steps", c.local_steps},
                         {"local_after", c.local_after},
                         {"outer", make_update_rule(c.outer)->spec()},
                         {"outer_lr", c.outer_lr.value_or(1)},
                         {"measure", c.measure},
                         {"network", c.network ? nlohmann::json(*c.network) : nlohmann::json()},
                         {"compute", c.compute ? nlohmann::json(*c.compute) : nlohmann::json()},
                         {"bucket_mb", c.bucket_mb.value_or(0)},
                         {"deadline_seconds", 1e-3 * static_cast<double>(deadline(c).count())},
                         {"eval_every", c.eval_every}};
  if (c.topology == "async") json["async"] = to_json(c.async);
  return json;
}

}  // namespace terse::run
