// Staleness: what it costs, and what helps, with 1 to 64 simulated workers.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/staleness/flags.hpp"
#include "examples/staleness/sweep.hpp"
#include "tersegrad/inspect/files.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;

void staleness(int argc, char** argv) {
  const auto [sweep, out, json] = run::parse_staleness_flags(argc, argv);
  const auto& common = sweep.common;
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
             sweep.seeds, run::table_text(cells));
  const auto result = run::to_json(sweep, cells);
  write_file(folder / "staleness.json", json_text(result, 2) + "\n");
  if (const auto picture = run::chart_svg(cells); !picture.empty()) {  // a method has learned
    write_file(folder / "staleness.svg", picture);
  }
  if (json) run::print("{}\n", json_text(result));
  series.finish();
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("staleness", [&] { staleness(argc, argv); });
}
