// Accuracy with Byzantine workers, by attack, method and number of Byzantine workers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "examples/byzantine/sweep.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/data/datasets.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

void byzantine(int argc, char** argv) {
  run::ByzantineSweep sweep;
  auto& common = sweep.common;
  common.model = "lenet";
  common.batch = 8;
  common.steps = 200;
  std::string out = "runs/byzantine";
  bool json = false;
  run::CommandLine command_line(
      "byzantine", "Trains with Byzantine workers: accuracy by method and their number.",
      "byzantine --workers 7 --attack sign-flip --method vote --method median");
  run::add_data_flags(command_line, common);
  command_line.list("--workers", sweep.workers, "number of workers; repeatable [7 and 15]")
      .list("--attack", sweep.attacks, "repeatable [sign-flip, scale, random, collude]")
      .list("--method", sweep.methods, "repeatable: vote, mean, median, trimmed, krum [all]")
      .flag("--batch", common.batch, "samples per worker and step")
      .flag("--steps", common.steps, "steps of each run")
      .flag("--schedule", common.schedule, "learning rate: constant, step, linear or cosine")
      .flag("--evaluate", common.evaluate, run::kEvaluateHelp)
      .flag("--seed", common.seed, "seed of all random numbers")
      .flag("--threads", common.threads, "number of threads; 0: one per core")
      .flag("--out", out, "folder of the sweep; continues a sweep found there")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  run::listen_for_interruption();
  if (sweep.workers.empty()) sweep.workers = {7, 15};
  if (sweep.attacks.empty())
    sweep.attacks = {"sign-flip", "scale:factor=-100", "random:scale=1", "collude:scale=1"};
  check<UsageError>(common.steps >= 1, "--steps: expected at least 1; got {}", common.steps);
  check<UsageError>(!is_text(common.data), "--data: expected images; got {}, a text", common.data);

  const OutputFolder folder(out);
  run::Series series;
  const auto cells =
      run::run_byzantine(sweep, folder / "runs.jsonl", series, [](const run::ByzantineCell& cell) {
        run::note(
            "{:<20} W {:<4} {:<8} Byzantine {:<4} {}\n", cell.attack, cell.workers, cell.method,
            cell.byzantine,
            cell.failure.empty() ? fmt::format("{:.2f} %", 100 * cell.accuracy) : cell.failure);
      });
  if (!series.any_succeeded()) return series.finish();
  run::print("{} on {}\nbatch {} a worker, {} steps, seed {}\n\n{}", common.model, common.data,
             common.batch, common.steps, common.seed, run::table_text(sweep, cells));
  const auto result = run::to_json(sweep, cells);
  write_file(folder / "byzantine.json", json_text(result, 2) + "\n");
  write_file(folder / "byzantine.svg", run::chart_svg(sweep, cells));
  if (json) run::print("{}\n", json_text(result));
  series.finish();
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("byzantine", [&] { byzantine(argc, argv); });
}
