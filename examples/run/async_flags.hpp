// The flags of asynchronous training, and the AsyncOptions that they stand for.
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
  std::int64_t staleness = -1;  // bound, in clocks; -1: no bound
  Choice<parse_clock> clock = AsyncClock::virtual_time;
  std::string durations = "exponential";
  std::string speeds;  // empty: all equal
  std::string delays;  // empty: staleness follows from durations
  bool sparse_pulls = false;
  bool operator==(const AsyncConfig&) const = default;
};

void add_async_flags(CommandLine& command_line, RunConfig& config);

// UsageError for one of these flags without topology async, and for options that cannot work.
void check_async_flags(const RunConfig& config);
AsyncOptions async_options(const RunConfig& config);
// Pushes of an update divided by the number of workers: from 1/W to 1.
double share_of_workers(const RunConfig& config);

nlohmann::json to_json(const AsyncConfig& config);

}  // namespace terse::run
