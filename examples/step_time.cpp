// Time of a step in a modelled network, for several methods and numbers of workers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "examples/run/command_line.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/shape_list.hpp"
#include "examples/run/step_time.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

void step_time(int argc, char** argv) {
  run::RunConfig config;
  config.compressor_flag = "--method";
  std::vector<std::string> methods, networks;
  std::vector<std::int64_t> counts;
  std::string shapes = "resnet18", compute = "0s";
  std::int64_t steps = 3;
  bool json = false;
  run::CommandLine command_line(
      "step_time", "Times a step of each method in modelled networks, without training.",
      "step_time --shapes resnet18 --compute 200ms --network 10gbe --workers 16");
  command_line.flag("--shapes", shapes, "resnet18, lstm, or 64x3x3x3,64")
      .list("--method", methods, "a compressor spec; once for each [four of them]")
      .list("--network", networks, "as in train; once for each [10gbe, 1gbe]")
      .list("--workers", counts, "once for each number [16]")
      .flag("--topology", config.topology, "ring or server")
      .flag("--servers", config.servers, "shards of the parameter server")
      .flag("--all-reduce", config.all_reduce, "ring, tree, halving or auto: the quickest")
      .flag("--compute", compute, "of forward and backward in a step: declared")
      .flag("--bucket-mb", config.bucket_mb, "exchange in such buckets during backward [no]")
      .flag("--steps", steps, "to take the mean of, after a first one")
      .flag("--threads", config.threads, "of a worker, one worker at a time; 0: a core each")
      .flag("--seed", config.seed, "of the gradients")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  check<UsageError>(steps >= 1 && steps <= 1000, "--steps: 1 to 1000 are wanted; got {}", steps);
  if (methods.empty())
    methods = {"none", "powersgd:rank=2+ef", "vote:beta=0.9", "topk:ratio=0.01+ef"};
  if (networks.empty()) networks = {"10gbe", "1gbe"};
  if (counts.empty()) counts = {16};

  std::vector<run::RunConfig> cases;
  std::int64_t most = 1;
  for (const auto& network : networks) {
    for (const auto& method : methods) {
      for (const std::int64_t count : counts) {
        auto& each = cases.emplace_back(config);
        each.network = network;
        each.compute = compute;
        each.compressor = method;
        each.workers = count;
        run::complete(each);
        most = std::max(most, each.workers);
      }
    }
  }
  set_thread_count(static_cast<int>(cases.front().threads));
  run::SyntheticGradients gradients(run::parse_shapes(shapes), most, config.seed);
  run::print("{}: {} values; compute {} declared, else measured, threads: {}\n", shapes,
             run::thousands_text(static_cast<double>(gradients.numel())), compute,
             cases.front().threads);
  run::print("{:<21}{:>8}{:>12}{:>9}{:>9}{:>7}{:>7}{:>7}\n", "ms per step", "workers", "bytes sent",
             "step", "exchange", "encode", "decode", "hidden");
  nlohmann::json list = nlohmann::json::array();
  std::string shown;
  for (const auto& each : cases) {
    if (shown != *each.network) run::print("--- {}\n", shown = *each.network);
    const auto time = run::time_step(each, gradients, steps, LocalWork::measured);
    const double sent =
        static_cast<double>(time.sent.bytes_sent) / static_cast<double>(each.workers);
    run::print("{:<21}{:>8}{:>12}{:>9.2f}{:>9.2f}{:>7.2f}{:>7.2f}{:>7.2f}\n", each.compressor,
               each.workers, run::bytes_text(sent), 1e3 * time.seconds,
               1e3 * time.phases[Phase::exchange], 1e3 * time.phases[Phase::encode],
               1e3 * time.phases[Phase::decode], 1e3 * time.hidden_seconds);
    std::fflush(stdout);
    list.push_back({{"method", each.compressor},
                    {"workers", each.workers},
                    {"network", *each.network},
                    {"bytes_sent_per_worker", sent},
                    {"milliseconds", 1e3 * time.seconds},
                    {"exchange_ms", 1e3 * time.phases[Phase::exchange]},
                    {"encode_ms", 1e3 * time.phases[Phase::encode]},
                    {"decode_ms", 1e3 * time.phases[Phase::decode]},
                    {"hidden_ms", 1e3 * time.hidden_seconds}});
  }
  if (json) {
    run::print("{}\n", json_text(nlohmann::json({{"shapes", shapes},
                                                 {"compute", compute},
                                                 {"topology", config.topology},
                                                 {"bucket_mb", config.bucket_mb.value_or(0)},
                                                 {"steps", steps},
                                                 {"times", list}})));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("step_time", [&] { step_time(argc, argv); });
}
