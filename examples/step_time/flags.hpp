// The flags of step_time, and the configurations that they name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/run/config.hpp"

namespace terse::run {

struct StepTimeFlags {
  RunConfig config;
  std::vector<std::string> methods, networks;
  std::vector<std::int64_t> workers;
  std::string shapes = "resnet18", compute = "0s";
  std::int64_t steps = 3;
  bool json = false;
};

StepTimeFlags parse_step_time_flags(int argc, char** argv);

// Complete configurations, by network, method and number of workers.
std::vector<RunConfig> cases_of(const StepTimeFlags& flags);

}  // namespace terse::run
