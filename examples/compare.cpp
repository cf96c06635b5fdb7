// The main job: several ways of exchanging gradients on one model and data set, in one table.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "examples/support/command_line.hpp"
#include "examples/support/comparison.hpp"
#include "examples/support/methods.hpp"
#include "examples/support/program.hpp"
#include "examples/support/progress.hpp"
#include "examples/support/training.hpp"
#include "inspect/run_folder.hpp"

namespace {

using namespace terse;

void compare(int argc, char** argv) {
  run::RunConfig common;
  common.epochs = 3;  // six methods then take a minute on two cores
  std::vector<std::string> methods;
  std::string out = "runs/compare";
  bool all = false, json = false;
  run::CommandLine command_line(
      "compare", "Trains one model once with each method and compares them in one table.",
      "compare --method none --method powersgd:rank=2+ef --epochs 1");
  run::add_data_flags(command_line, common);
  command_line.list("--method", methods, "a compressor spec; once for each [the six main ones]");
  command_line.flag("--all", all, "every method that there is");
  run::add_training_flags(command_line, common);
  command_line.flag("--out", out, "folder for compare.csv, compare.json and compare.svg")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  check<UsageError>(!all || methods.empty(), "--all and --method exclude each other");
  if (methods.empty()) methods = all ? run::all_methods() : run::main_methods();

  std::vector<run::ComparedRun> runs;
  for (const auto& method : methods) {
    runs.push_back({.config = common, .result = {}});
    runs.back().config.compressor = method;
    run::complete(runs.back().config);
  }
  const auto data = run::load_data(common);
  prepare_folder(out);
  const auto& c = runs.front().config;
  fmt::print("{} on {}: {} workers, batch {} each, {}, {} epoch{}, TBB threads: {}\n", c.model,
             c.data, c.workers, c.batch, c.topology, c.epochs, c.epochs == 1 ? "" : "s", c.threads);
  std::fflush(stdout);
  for (auto& run : runs) {
    run::Progress progress(run.config.compressor, stderr);
    run.result = run::train(run.config, data, progress.listener());
    progress.finish();
  }

  fmt::print("\n{}", run::table_text(runs));
  const std::filesystem::path folder = out;
  write_file(folder / "compare.csv", run::to_csv(runs));
  write_file(folder / "compare.json", run::to_json(runs).dump(2) + "\n");
  write_file(folder / "compare.svg", run::chart_svg(runs));
  double seconds = 0;
  for (const auto& run : runs) seconds += run.result.seconds;
  fmt::print("\n{} in all; {}/compare.csv, .json and .svg\n", run::duration_text(seconds), out);
  if (json) fmt::print("{}\n", run::to_json(runs).dump());
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("compare", [&] { compare(argc, argv); });
}
