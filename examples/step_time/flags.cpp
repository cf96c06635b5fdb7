#include "examples/step_time/flags.hpp"

#include "examples/run/command_line.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {

StepTimeFlags parse_step_time_flags(int argc, char** argv) {
  StepTimeFlags flags;
  auto& config = flags.config;
  config.compressor_flag = "--method";
  CommandLine command_line(
      "step_time", "Times a step of each method in modelled networks, without training.",
      "step_time --shapes resnet18 --compute 200ms --network 10gbe --workers 16");
  command_line.flag("--shapes", flags.shapes, "resnet18, lstm, or 64x3x3x3,64")
      .list("--method", flags.methods, "a compressor spec; once for each [four of them]")
      .list("--network", flags.networks, "as in train; once for each [10gbe, 1gbe]")
      .list("--workers", flags.workers, "once for each number [16]")
      .flag("--topology", config.topology, "ring or server")
      .flag("--servers", config.servers, "shards of the parameter server")
      .flag("--all-reduce", config.all_reduce, "ring, tree, halving or auto: the quickest")
      .flag("--compute", flags.compute, "of forward and backward in a step: declared")
      .flag("--bucket-mb", config.bucket_mb, "exchange in such buckets during backward [no]")
      .flag("--steps", flags.steps, "to take the mean of, after a first one")
      .flag("--threads", config.threads, "of a worker, one worker at a time; 0: a core each")
      .flag("--seed", config.seed, "of the gradients")
      .flag("--json", flags.json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  check<UsageError>(flags.steps >= 1 && flags.steps <= 1000,
                    "--steps: 1 to 1000 are wanted; got {}", flags.steps);
  if (flags.methods.empty())
    flags.methods = {"none", "powersgd:rank=2+ef", "vote:beta=0.9", "topk:ratio=0.01+ef"};
  if (flags.networks.empty()) flags.networks = {"10gbe", "1gbe"};
  if (flags.workers.empty()) flags.workers = {16};
  return flags;
}

std::vector<RunConfig> cases_of(const StepTimeFlags& flags) {
  std::vector<RunConfig> cases;
  for (const auto& network : flags.networks) {
    for (const auto& method : flags.methods) {
      for (const std::int64_t workers : flags.workers) {
        auto& each = cases.emplace_back(flags.config);
        each.network = network;
        each.compute = flags.compute;
        each.compressor = method;
        each.workers = workers;
        complete(each);
      }
    }
  }
  return cases;
}

}  // namespace terse::run
