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
  command_line.flag("--shapes", flags.shapes, "lenet, resnet18, resnet50, lstm, or a list: 64x3,64")
      .list("--method", flags.methods, "compressor spec; repeatable [four methods]")
      .list("--network", flags.networks, "as in train; repeatable [10gbe, 1gbe]")
      .list("--workers", flags.workers, "number of workers; repeatable [16]")
      .flag("--topology", config.topology, "ring or server")
      .flag("--servers", config.servers, "number of parameter server shards")
      .flag("--all-reduce", config.all_reduce, "ring, tree, halving, or auto (the fastest)")
      .flag("--compute", flags.compute, "declared time of forward and backward per step")
      .flag("--bucket-mb", config.bucket_mb, "MB per bucket, sent during backward [no buckets]")
      .flag("--steps", flags.steps, "steps to average over, after one warm-up step")
      .flag("--threads", config.threads, "threads; workers run one at a time; 0: one per core")
      .flag("--seed", config.seed, "seed of the gradients")
      .flag("--json", flags.json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  check<UsageError>(flags.steps >= 1 && flags.steps <= 1000,
                    "--steps: expected a number from 1 to 1000; got {}", flags.steps);
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
