// Accuracy and largest stable rate with stale gradients, with 1 to 64 simulated workers.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "examples/run/command_line.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/staleness/sweep.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/data/datasets.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

std::vector<std::int64_t> parse_workers(std::string_view text) {
  std::vector<std::int64_t> all;
  const auto* at = text.data();
  const auto* const end = text.data() + text.size();
  for (;;) {
    std::int64_t workers = 0;
    const auto [after, error] = std::from_chars(at, end, workers);
    check<UsageError>(
        error == std::errc{} && workers >= 1 && workers <= 1024 && (after == end || *after == ','),
        "--workers: expected numbers from 1 to 1024, separated by commas; got '{}'", text);
    all.push_back(workers);
    if (after == end) return all;
    at = after + 1;
  }
}

void staleness(int argc, char** argv) {
  run::Sweep sweep;
  auto& common = sweep.common;
  common.model = "mlp:hidden=64";
  common.optimizer = "sgd";
  common.epochs = 1;
  std::vector<std::string> methods;
  std::string workers = "1,4,16,64", out = "runs/staleness";
  bool json = false;
  run::CommandLine command_line(
      "staleness", "Trains with stale gradients: accuracy and the largest stable rate by method.",
      "staleness --workers 1,16 --method asynchronous --method \"top 1 %, memory\"");
  run::add_data_flags(command_line, common);
  command_line.flag("--workers", workers, "numbers of simulated workers; one sweep for each")
      .list("--method", methods, "method, as the table names it; repeatable [all]")
      .flag("--batch", common.batch, "samples per push")
      .flag("--epochs", common.epochs, "passes over the data, all workers together")
      .flag("--optimizer", common.optimizer, "optimizer of the server")
      .flag("--schedule", common.schedule, "learning rate: constant, step, linear or cosine")
      .flag("--durations", common.async.durations,
            "compute times: constant, erlang:k=4, pareto, ...")
      .flag("--low", sweep.low, "exponent of the smallest rate, a power of two")
      .flag("--high", sweep.high, "exponent of the largest rate; stops when one fails")
      .flag("--evaluate", common.evaluate, run::kEvaluateHelp)
      .flag("--seeds", sweep.seeds, "runs at the best rate to average over")
      .flag("--threads", common.threads, "number of threads; 0: one per core")
      .flag("--out", out, "folder of the sweep; continues a sweep found there")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  sweep.workers = parse_workers(workers);
  if (!methods.empty()) sweep.methods = run::sweep_methods(methods);
  check<UsageError>(sweep.low <= sweep.high && sweep.low >= -30 && sweep.high <= 19,
                    "--low, --high: expected ascending exponents from -30 to 19; got {} and {}",
                    sweep.low, sweep.high);
  check<UsageError>(sweep.seeds >= 1, "--seeds: expected at least 1; got {}", sweep.seeds);
  check<UsageError>(!is_text(common.data), "--data: expected images; got {}, a text", common.data);
  run::listen_for_interruption();
  const OutputFolder folder(out);
  run::Series series;
  const auto show = [](const run::SweepRun& r) {
    run::note("W {:<5} {:<20} rate 2^{:<4} seed {:<3} {}\n", r.workers, r.method, r.exponent,
              r.seed, r.learned ? fmt::format("{:.2f} %", 100 * r.accuracy) : "has not learned");
  };
  const auto cells = run::run_sweep(sweep, folder / "runs.jsonl", series, show);
  if (!series.any_succeeded()) return series.finish();
  run::print("{} on {}\nbatch {}, epochs: {}, {}, {} durations, seeds: {}\n\n{}", common.model,
             common.data, common.batch, common.epochs, common.optimizer, common.async.durations,
             sweep.seeds, run::table_text(sweep, cells));
  const auto result = run::to_json(sweep, cells);
  write_file(folder / "staleness.json", json_text(result, 2) + "\n");
  if (const auto picture = run::chart_svg(sweep, cells);
      !picture.empty()) {  // empty if no method has learned
    write_file(folder / "staleness.svg", picture);
  }
  if (json) run::print("{}\n", json_text(result));
  series.finish();
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("staleness", [&] { staleness(argc, argv); });
}
