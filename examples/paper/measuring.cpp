#include "examples/paper/measuring.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "examples/run/progress.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::paper {

Measuring::Measuring(const std::string& folder, Options options)
    : folder_(folder), options_(options), store_(folder + "/data") {}

void Measuring::begin(const std::vector<Work>& works, bool pages) {
  const auto stored = [&](const Experiment& one) { return is_stored(one); };
  const double seconds = seconds_left(works, stored);
  if (seconds > 60 && !options_.quick) {
    run::note("about {} on two cores\n", run::duration_text(seconds));
  }
  check_data(works, stored);
  if (options_.quick || seconds == 0) return;
  locked_.emplace(store_.folder());
  if (pages) create_writable(folder_);
}

bool Measuring::is_stored(const Experiment& experiment) const {
  if (options_.quick || (options_.again && experiment.measurable)) return false;
  return store_.find(experiment).has_value();
}

Row Measuring::row(const Experiment& experiment, const Rows& rows) const {
  if (options_.quick) return {.result = measured(experiment, rows)};
  if (options_.again && experiment.measurable) {
    store_.forget_begun(experiment);
  } else if (auto stored = store_.find(experiment)) {
    return *std::move(stored);
  }
  return store_.measure(experiment, rows);
}

void Measuring::check_rate(const Experiment& experiment, const Rows& rows) const {
  for (const auto& needed : experiment.needs) {
    const auto &own = rows[experiment.name], &tuning = rows[needed];
    if (!own.contains("lr") || !tuning.contains("best") || own.at("lr") == tuning.at("best")) {
      continue;
    }
    throw Error(fmt::format(
        "{}: its runs have the rate {}, but {} was measured again and has the best rate {}; "
        "measure a claim on both with --again, or remove the first file",
        store_.file_of(experiment.name).string(), own.at("lr").dump(),
        store_.file_of(needed).string(), tuning.at("best").dump()));
  }
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

}  // namespace terse::paper
