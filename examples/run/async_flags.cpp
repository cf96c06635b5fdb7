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
      .flag("--staleness", c.staleness, "async: clocks a worker may be ahead; -1: no bound")
      .flag("--clock", c.clock, "async: virtual (simulated) or real (threads)")
      .flag("--durations", c.durations, "async: compute times: erlang:k=4, measured, ...")
      .flag("--speeds", c.speeds, "async: speed of each worker, such as 1,1,0.5")
      .flag("--delays", c.delays, "async: imposed staleness, such as uniform:most=8")
      .flag("--sparse-pulls", c.sparse_pulls,
            "async: pull only changed values, if that is smaller");
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
                      "--sparse-pulls require --topology async");
    return;
  }
  check<UsageError>(config.async.staleness >= -1,
                    "--staleness: expected a whole number from 0, or -1 for no bound; got {}",
                    config.async.staleness);
  check<UsageError>(config.servers == 1,
                    "--servers with --topology async: expected 1, because the server has one "
                    "shard; got {}",
                    config.servers);
  check<UsageError>(config.local_steps == 0,
                    "--local-steps with --topology async: asynchronous workers never average "
                    "their models; leave out --local-steps");
  check<UsageError>(!config.measure.value().density,
                    "--measure density: expected a synchronous topology; got async; use local, "
                    "ring or server");
  check<UsageError>(!config.network || config.compute || config.async.durations == "measured",
                    "--network with --topology async: expected the mean of --durations {} in "
                    "seconds; give it as --compute 5ms, or use --durations measured",
                    config.async.durations);
  check_async(async_options(config), *make_update_rule(config.optimizer));
}

nlohmann::json to_json(const AsyncConfig& c) {
  return {{"server_rule", c.server_rule},  {"staleness", c.staleness}, {"clock", c.clock.name()},
          {"durations", c.durations},      {"speeds", c.speeds},       {"delays", c.delays},
          {"sparse_pulls", c.sparse_pulls}};
}

}  // namespace terse::run
