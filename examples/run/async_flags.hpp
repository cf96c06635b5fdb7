// The flags of asynchronous training, and what they mean to comm.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "examples/run/choice.hpp"
#include "tersegrad/comm/async/async.hpp"

namespace terse::run {

class CommandLine;
struct RunConfig;

struct AsyncConfig {
  std::string server_rule = "vanilla";
  std::int64_t staleness = -1;  // bound, in clocks; -1: none
  Choice<parse_clock> clock = AsyncClock::virtual_time;
  std::string durations = "exponential";
  std::string speeds;  // none: all alike
  std::string delays;  // none: durations decide
  bool sparse_pulls = false;
  bool operator==(const AsyncConfig&) const = default;
};

void add_async_flags(CommandLine& command_line, RunConfig& config);

// UsageError for a flag without the topology that it is for, or for what cannot work.
void check_async_flags(const RunConfig& config);
AsyncOptions async_options(const RunConfig& config);
// How many of the workers have a push in an update: 1/W, or 1 where all meet.
double share_of_workers(const RunConfig& config);

nlohmann::json to_json(const AsyncConfig& config);

}  // namespace terse::run
