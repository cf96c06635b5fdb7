// The time of a step in modelled networks, by method and number of workers.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/shape_list.hpp"
#include "examples/run/step_time.hpp"
#include "examples/step_time/flags.hpp"
#include "tersegrad/core/parallel.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

double bytes_sent_per_worker(const run::RunConfig& config, const run::StepTime& time) {
  return static_cast<double>(time.sent.bytes_sent) / static_cast<double>(config.workers);
}

std::string row_text(const run::RunConfig& config, const run::StepTime& time) {
  return fmt::format("{:<21}{:>8}{:>12}{:>9.2f}{:>9.2f}{:>7.2f}{:>7.2f}{:>7.2f}\n",
                     config.compressor, config.workers,
                     run::bytes_text(bytes_sent_per_worker(config, time)), 1e3 * time.seconds,
                     1e3 * time.parts[Part::exchange], 1e3 * time.parts[Part::encode],
                     1e3 * time.parts[Part::decode], 1e3 * time.hidden_seconds);
}

nlohmann::json row_json(const run::RunConfig& config, const run::StepTime& time) {
  return {{"method", config.compressor},
          {"workers", config.workers},
          {"network", *config.network},
          {"bytes_sent_per_worker", bytes_sent_per_worker(config, time)},
          {"milliseconds", 1e3 * time.seconds},
          {"exchange_ms", 1e3 * time.parts[Part::exchange]},
          {"encode_ms", 1e3 * time.parts[Part::encode]},
          {"decode_ms", 1e3 * time.parts[Part::decode]},
          {"hidden_ms", 1e3 * time.hidden_seconds}};
}

void step_time(int argc, char** argv) {
  const auto flags = run::parse_step_time_flags(argc, argv);
  const auto& config = flags.config;
  const auto cases = run::cases_of(flags);
  set_thread_count(static_cast<int>(cases.front().threads));
  run::SyntheticGradients gradients(run::parse_shapes(flags.shapes),
                                    std::ranges::max(flags.workers), config.seed);
  run::print("{}: {} values; compute {} declared, rest measured, threads: {}\n", flags.shapes,
             run::thousands_text(static_cast<double>(gradients.numel())), flags.compute,
             cases.front().threads);
  run::print("{:<21}{:>8}{:>12}{:>9}{:>9}{:>7}{:>7}{:>7}\n", "ms per step", "workers", "bytes sent",
             "step", "exchange", "encode", "decode", "hidden");
  nlohmann::json list = nlohmann::json::array();
  std::string shown;
  for (const auto& each : cases) {
    if (shown != *each.network) run::print("--- {}\n", shown = *each.network);
    const auto time = run::time_step(each, gradients, flags.steps, LocalWork::measured);
    run::print("{}", row_text(each, time));
    std::fflush(stdout);
    list.push_back(row_json(each, time));
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
