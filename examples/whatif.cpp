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
#include "examples/run/result_file.hpp"
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
  bool force = false, json = false;
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
      .flag("--force", flags.force, "replace existing files")
      .flag("--json", flags.json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  check<UsageError>(!flags.run.empty(), "run: expected the folder of a run; see --help");
  const auto if_there = flags.force ? run::IfThere::replace : run::IfThere::refuse;
  if (flags.out) run::check_result_file("--out", *flags.out, if_there);
  if (flags.svg) run::check_result_file("--svg", *flags.svg, if_there);
  check<UsageError>(!flags.out || flags.out != flags.svg,
                    "--out and --svg: expected two files; got '{}' twice", flags.out.value_or(""));
  if (flags.methods.empty()) flags.methods = run::main_methods();
  for (const auto& method : flags.methods) {
    run::for_flag("--method", [&] { make_compressor(method); });
  }
  return flags;
}

// "0;20;40", or "0;1;2;...;90" if there are many.
std::string listed(const std::vector<run::RecordedStep>& steps) {
  constexpr std::size_t kMost = 8;
  std::string text;
  for (std::size_t i = 0; i < steps.size() && i < kMost; ++i) {
    text += fmt::format("{}{}", i > 0 ? ";" : "", steps[i].step);
  }
  return steps.size() <= kMost ? text : fmt::format("{};...;{}", text, steps.back().step);
}

std::vector<run::RecordedStep> chosen_steps(const Flags& flags, const run::Records& records) {
  check(!records.steps.empty(), "'{}': no step is recorded", flags.run);
  if (!flags.steps) return records.steps;
  const auto ranges = run::parse_steps(*flags.steps, "--steps");
  std::vector<run::RecordedStep> steps;
  for (const auto& step : records.steps) {
    if (run::has_step(ranges, step.step)) steps.push_back(step);
  }
  check<UsageError>(!steps.empty(), "--steps: expected some of the recorded steps {}; got {}",
                    listed(records.steps), *flags.steps);
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
