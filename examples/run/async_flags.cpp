#include "examples/run/async_flags.hpp"

#include <nlohmann/json.hpp>

#include "examples/run/command_line.hpp"
#include "examples/run/config.hpp"
#include "tersegrad/comm/network/durations.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse::run {

void add_async_flags(CommandLine& command_line, RunConfig& config) {
  auto& c = config.async;
  command_line
      .flag("--server-rule", c.server_rule, "async: dc_asgd, staleness_aware, softsync:n=2, ...")
      .flag("--staleness", c.staleness, "async: clocks a worker may run ahead; -1: any")
      .flag("--clock", c.clock, "async: virtual (a simulation) or real (threads)")
      .flag("--durations", c.durations, "async: constant, erlang:k=4, pareto, measured, ...")
      .flag("--speeds", c.speeds, "async: of the workers in turn, such as 1,1,0.5")
      .flag("--delays", c.delays, "async: staleness to impose, such as uniform:most=8")
      .flag("--sparse-pulls", c.sparse_pulls, "async: pull what has changed, if that is shorter");
}

AsyncOptions async_options(const RunConfig& config) {
  const auto& c = config.async;
  AsyncOptions options{.workers = static_cast<int>(config.workers),
                       .seed = config.seed,
                       .compressor = config.compressor,
                       .rule = c.server_rule,
                       .sparse_pulls = c.sparse_pulls,
                       .non_finite = config.non_finite.value(),
                       .attack = parse_attack(config.attack),
                       .clock = c.clock.value(),
                       .durations = c.durations,
                       .speeds = parse_speeds(c.speeds),
                       .delays = c.delays,
                       .deadline = deadline(config)};
  if (config.network) options.network = parse_network(*config.network);
  if (config.compute) options.compute = parse_seconds(*config.compute);
  if (c.staleness >= 0) options.bound = static_cast<std::uint64_t>(c.staleness);
  return options;
}

double share_of_workers(const RunConfig& config) {
  return pushes_per_update(async_options(config)) / static_cast<double>(config.workers);
}

void check_async_flags(const RunConfig& config) {
  if (!config.is_async()) {
    check<UsageError>(config.async == AsyncConfig{},
                      "--server-rule, --staleness, --clock, --durations, --speeds, --delays and "
                      "--sparse-pulls go with --topology async");
    return;
  }
  check<UsageError>(config.async.staleness >= -1,
                    "--staleness: a whole number from 0 is wanted, or -1 for no bound; got {}",
                    config.async.staleness);
  check<UsageError>(config.servers == 1, "--servers: the asynchronous server has one shard");
  check<UsageError>(config.local_steps == 0,
                    "--local-steps: an asynchronous worker has no meeting");
  check<UsageError>(config.measure == Measurement::none,
                    "--measure {} is for synchronous topologies", config.measure.name());
  check<UsageError>(!config.network || config.compute || config.async.durations == "measured",
                    "--network with --topology async: how many seconds is the mean of --durations "
                    "{}? --compute 5ms says it; or take --durations measured",
                    config.async.durations);
  check_async(async_options(config), *make_update_rule(config.optimizer));
}

nlohmann::json to_json(const AsyncConfig& c) {
  return {{"server_rule", c.server_rule},  {"staleness", c.staleness}, {"clock", c.clock.name()},
          {"durations", c.durations},      {"speeds", c.speeds},       {"delays", c.delays},
          {"sparse_pulls", c.sparse_pulls}};
}

}  // namespace terse::run
