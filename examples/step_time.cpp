// Time of a step in a modelled network, for several methods and numbers of workers.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/shape_list.hpp"
#include "examples/run/step_time.hpp"
#include "examples/step_time/flags.hpp"
#include "examples/step_time/row.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

void step_time(int argc, char** argv) {
  const auto flags = run::parse_step_time_flags(argc, argv);
  const auto& config = flags.config;
  const auto cases = run::cases_of(flags);
  set_thread_count(static_cast<int>(cases.front().threads));
  run::SyntheticGradients gradients(run::parse_shapes(flags.shapes),
                                    std::ranges::max(flags.workers), config.seed);
  run::print("{}: {} values; compute {} declared, else measured, threads: {}\n", flags.shapes,
             run::thousands_text(static_cast<double>(gradients.numel())), flags.compute,
             cases.front().threads);
  run::print("{}", run::row_head());
  nlohmann::json list = nlohmann::json::array();
  std::string shown;
  for (const auto& each : cases) {
    if (shown != *each.network) run::print("--- {}\n", shown = *each.network);
    const auto time = run::time_step(each, gradients, flags.steps, LocalWork::measured);
    run::print("{}", run::row_text(each, time));
    std::fflush(stdout);
    list.push_back(run::row_json(each, time));
  }
  if (flags.json) {
    run::print("{}\n", json_text(nlohmann::json({{"shapes", flags.shapes},
                                                 {"compute", flags.compute},
                                                 {"topology", config.topology.name()},
                                                 {"bucket_mb", config.bucket_mb.value_or(0)},
                                                 {"steps", flags.steps},
                                                 {"times", list}})));
  }
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("step_time", [&] { step_time(argc, argv); });
}
