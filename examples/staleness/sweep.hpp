// How well methods of asynchronous training tolerate staleness: many short runs in virtual time.
//
//   for every number of workers W, and every method:
//     for the rates 2^low, 2^(low+1), …, 2^high, until a run fails after one that learned:
//       train from the same first model
//     largest stable rate = the last rate that learned
//     best rate = the one with the highest accuracy; accuracy = its mean over the seeds
//
// Accuracies and losses are those of the split that --evaluate names. With `test` the best rate is
// chosen by the figure that is then reported, which flatters it.
//
// A run has learned if all its gradients were finite and its loss at the end is at most 0.9 times
// that of the untrained model. Rates below the first that learned are too slow, those above
// the last diverge or collapse. The rate is exact to a factor of two. A seed that has not learned
// counts with accuracy 0. Finished runs are kept in a file (run_log.hpp).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "examples/run/series.hpp"
#include "examples/run/training.hpp"

namespace terse::run {

struct SweepMethod {
  std::string name;  // in the table
  std::string compressor = "none";
  std::string rule = "vanilla";
  bool synchronous = false;  // staleness bound 0
};
// The synchronous server, the asynchronous one, its remedies for staleness, and sparse pushes with
// and without memory.
std::vector<SweepMethod> sweep_methods();
// The methods with these names; UsageError for an unknown name.
std::vector<SweepMethod> sweep_methods(const std::vector<std::string>& names);

struct Sweep {
  RunConfig common;  // model, data, batch, epochs, durations; the sweep sets the rest
  std::vector<SweepMethod> methods = sweep_methods();
  std::vector<std::int64_t> workers = {1, 4, 16, 64};
  std::int64_t low = -8, high = 2;  // exponents of the rates
  std::int64_t seeds = 1;
};

// What all runs have in common, as the file of finished runs records it. The numbers of workers,
// methods and seeds are not part of it: they change no run.
nlohmann::json common_settings(const Sweep& sweep);

struct SweepRun {
  std::string method;
  std::int64_t workers = 0, exponent = 0;
  std::uint64_t seed = 0;
  bool learned = false;
  double accuracy = 0, loss = 0;  // if it has learned
  double mean_staleness = 0;
  std::uint64_t message_bytes = 0;
};

// The results of one method with one number of workers.
struct SweepCell {
  std::string method;
  std::int64_t workers = 0;
  bool learned = false;  // at any rate
  double largest_stable_rate = 0, best_rate = 0;
  bool at_top = false;                 // the largest rate of the sweep is stable
  double accuracy = 0, deviation = 0;  // over the seeds, at the best rate
  double mean_staleness = 0;
  std::uint64_t message_bytes = 0;
  std::string failure = {};  // of a run; the cell is incomplete
};

// Continues with the runs in `file`; Error if they are of another sweep. The cells are ordered by
// workers, then by method. After an interruption only complete cells are returned.
std::vector<SweepCell> run_sweep(const Sweep& sweep, const std::filesystem::path& file,
                                 Series& series,
                                 const std::function<void(const SweepRun&)>& on_run);

// In 80 columns: a row for each method; accuracy and largest stable rate for each number of
// workers.
std::string table_text(const Sweep& sweep, const std::vector<SweepCell>& cells);
nlohmann::json to_json(const Sweep& sweep, const std::vector<SweepCell>& cells);
// SVG: accuracy at the best rate over the number of workers. Empty if no method has learned.
std::string chart_svg(const Sweep& sweep, const std::vector<SweepCell>& cells);

}  // namespace terse::run
