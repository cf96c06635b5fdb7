// What other methods would have made of the gradients that a run has recorded.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "examples/run/command_line.hpp"
#include "examples/run/methods.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/record_request.hpp"
#include "examples/whatif/report.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

struct Flags {
  std::string run;
  std::vector<std::string> methods;
  std::optional<std::string> steps, packets, svg, out;
  bool json = false;
};

Flags parse_flags(int argc, char** argv) {
  Flags flags;
  run::CommandLine command_line("whatif",
                                "Replays the recorded gradients of a run through other methods.",
                                "whatif runs/a --method sign+ef --method powersgd:rank=2+ef");
  command_line.positional("run", flags.run, "folder of a run of train --record")
      .list("--method", flags.methods, "compressor spec; repeatable [the six main ones]")
      .flag("--steps", flags.steps, "recorded steps, such as 100..110 or 0;5;9 [all]")
      .flag("--packets", flags.packets, "folder to write the packets of each method to")
      .flag("--svg", flags.svg, "file for a picture: cosine over bytes and over steps")
      .flag("--out", flags.out, "file for the table as CSV")
      .flag("--json", flags.json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  check<UsageError>(!flags.run.empty(), "run: expected the folder of a run; see --help");
  if (flags.methods.empty()) flags.methods = run::main_methods();
  for (const auto& method : flags.methods) {
    run::for_flag("--method", [&] { make_compressor(method); });
  }
  return flags;
}

std::vector<run::RecordedStep> chosen_steps(const Flags& flags, const run::Records& records) {
  check(!records.steps.empty(), "'{}': no step is recorded", flags.run);
  if (!flags.steps) return records.steps;
  const auto ranges = run::parse_steps(*flags.steps, "--steps");
  std::vector<run::RecordedStep> steps;
  for (const auto& step : records.steps) {
    if (run::has_step(ranges, step.step)) steps.push_back(step);
  }
  check<UsageError>(!steps.empty(), "--steps: expected some of the recorded steps {} to {}; got {}",
                    records.steps.front().step, records.steps.back().step, *flags.steps);
  return steps;
}

void whatif(int argc, char** argv) {
  const auto flags = parse_flags(argc, argv);
  const auto records = run::read_records(flags.run);
  run::WhatIf result{
      .run = flags.run, .records = records, .steps = chosen_steps(flags, records), .methods = {}};
  for (const auto& method : flags.methods) {
    result.methods.emplace_back(
        records, method,
        flags.packets ? run::packet_writer(*flags.packets, method) : run::TakePacket());
  }
  for (const auto& step : result.steps) {
    const auto gradients = run::read_gradients(flags.run, records, step);
    for (auto& method : result.methods) method.run(gradients);
  }
  run::print("{}", run::to_text(result));
  if (flags.out) write_file(*flags.out, run::to_csv(result));
  if (flags.svg) write_file(*flags.svg, run::chart_svg(result));
  if (flags.json) run::print("{}\n", json_text(run::to_json(result)));
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("whatif", [&] { whatif(argc, argv); });
}
