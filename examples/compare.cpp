// The main job: trains one model with several methods and compares them in a table and on a page.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "examples/compare/comparison.hpp"
#include "examples/compare/recorded_runs.hpp"
#include "examples/report/command.hpp"
#include "examples/report/page.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/methods.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/series.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

void compare(int argc, char** argv) {
  run::RunConfig common;
  common.compressor_flag = "--method";
  common.epochs = 3;  // six methods take a minute on two cores
  common.measure = "health:count=3";
  std::vector<std::string> methods;
  std::optional<std::string> out;
  bool all = false, force = false, json = false;
  run::CommandLine command_line(
      "compare", "Trains a model once with each method and compares the results in one table.",
      "compare --method none --method powersgd:rank=2+ef --epochs 1");
  run::add_data_flags(command_line, common);
  command_line.list("--method", methods, "compressor spec; repeatable [the six main ones]");
  command_line.flag("--all", all, "compare all methods");
  run::add_training_flags(command_line, common);
  command_line.flag("--measure", common.measure, "none, or health:count=N: for the page");
  command_line.flag("--out", out, "folder of the results and the page [runs/compare-N]")
      .flag("--force", force, "replace an existing comparison in the folder")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  run::listen_for_interruption();
  check<UsageError>(!all || methods.empty(),
                    "--all and --method exclude each other; give one of them");
  if (methods.empty()) methods = all ? run::all_methods() : run::main_methods();

  std::vector<run::ComparedRun> runs;
  for (const auto& method : methods) {
    runs.push_back({.config = common, .result = {}});
    runs.back().config.compressor = method;
    run::complete(runs.back().config);
  }
  const auto data = run::load_data(common);
  run::print_notes(data);
  const auto folder = out ? OutputFolder(*out) : OutputFolder::numbered("runs/compare");
  run::name_folders(runs);
  check(force || !run::holds_comparison(folder.path(), runs),
        "--out {}: the folder holds a comparison already; name another folder, or "
        "use --force to replace it",
        folder.path().string());
  const auto& c = runs.front().config;
  run::print("{} on {}: {} workers, batch {} each, {}, {} epoch{}, TBB threads: {}\n", c.model,
             c.data, c.workers, c.batch, c.topology.name(), c.epochs, c.epochs == 1 ? "" : "s",
             c.threads);
  std::fflush(stdout);
  run::Series series;
  run::train_all(runs, data, folder.path(), series);
  if (!series.any_succeeded()) return series.finish();

  run::print("\n{}", run::table_text(runs));
  write_file(folder / "compare.csv", run::to_csv(runs));
  write_file(folder / "compare.json", json_text(run::to_json(runs), 2) + "\n");
  write_file(folder / "compare.svg", run::chart_svg(runs));
  double seconds = 0;
  for (const auto& run : runs) seconds += run.result.seconds;
  run::print("\nTotal time: {}. Results: {}/compare.csv, .json and .svg\n",
             run::duration_text(seconds), folder.path().string());
  const auto page = folder / run::kPageFile;
  run::write_report({folder.path()}, page,
                    run::shell_command(std::span(argv, static_cast<std::size_t>(argc))));
  run::print("Page: {}\n", page.string());
  if (json) run::print("{}\n", json_text(run::to_json(runs)));
  series.finish();
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("compare", [&] { compare(argc, argv); });
}
