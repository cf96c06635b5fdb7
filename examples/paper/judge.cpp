#include "examples/paper/judge.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/text.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::paper {
namespace {

void print_title(const Paper& paper) {
  for (const auto& line : run::wrapped(paper.number + ": " + paper.title, 80)) {
    run::print("{}\n", line);
  }
}

}  // namespace

Measuring::Measuring(const std::string& folder, Options options)
    : options_(options), store_(folder + "/data") {}

void Measuring::check_store() const {
  if (!options_.quick) store_.create_folder();
}

bool Measuring::is_stored(const Experiment& experiment) const {
  return !options_.quick && !options_.again && store_.find(experiment);
}

Row Measuring::row(const Experiment& experiment, const Rows& rows) const {
  if (options_.quick) return {.result = experiment.measure(rows)};
  if (!options_.again) {
    if (auto stored = store_.find(experiment)) return *std::move(stored);
  }
  return store_.measure(experiment, rows);
}

void Measuring::check_rate(const Experiment& experiment, const Rows& rows) const {
  for (const auto& needed : experiment.needs) {
    const auto &own = rows[experiment.name], &tuning = rows[needed];
    if (!own.contains("lr") || !tuning.contains("best") || own.at("lr") == tuning.at("best")) {
      continue;
    }
    throw Error(
        fmt::format("{}: its runs have the rate {}, but {} was measured again and has the best "
                    "rate {}; measure "
                    "a claim on both with --again, or remove the first file",
                    store_.file_of(experiment.name).string(), own.at("lr").dump(),
                    store_.file_of(needed).string(), tuning.at("best").dump()));
  }
}

void print_plan(const std::vector<Work>& works, const Measuring& measuring) {
  const auto is_stored = [&](const Experiment& one) { return measuring.is_stored(one); };
  for (const auto& work : works) {
    print_title(*work.paper);
    for (const auto* experiment : work.experiments) {
      run::print("  {:<56} {}\n", experiment->name,
                 is_stored(*experiment) ? "measured" : run::duration_text(experiment->seconds));
    }
  }
  run::print("What is left will take about {} on two cores.\n",
             run::duration_text(seconds_left(works, is_stored)));
}

void measure(const Work& work, const Measuring& measuring, Rows& rows) {
  for (const auto* experiment : work.experiments) {
    if (rows.has(experiment->name)) continue;
    run::throw_if_interrupted();
    if (!measuring.is_stored(*experiment)) run::note("{} …\n", experiment->name);
    rows.add_row(experiment->name, measuring.row(*experiment, rows));
    measuring.check_rate(*experiment, rows);
  }
}

std::vector<Judged> judge(const Work& work, const Rows& rows) {
  std::vector<Judged> all;
  print_title(*work.paper);
  for (const auto* claim : work.claims) {
    all.push_back(judge_claim(*work.paper, *claim, rows));
    run::print("{}", text_of(all.back()));
  }
  if (all.empty()) {
    run::print("No claim has all of its experiments measured yet.\n");
  } else {
    run::print("\n{}\n", summary(all));
  }
  return all;
}

}  // namespace terse::paper
