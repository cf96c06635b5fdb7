// How well methods of asynchronous training bear staleness: many short runs in virtual time.
//
//   for every number of workers W, and every method:
//     for the rates 2^low, 2^(low+1), …, 2^high, upwards, until one fails after one that learned:
//       train from the same first model
//     largest stable rate = the last that learned; accuracy = the best on the way, then the mean
//     over the seeds at its rate
//
// A run learned if no gradient has become infinite or NaN, and the test loss at the end is at most
// nine tenths of the untrained model's. Runs before the first that learned were too slow, those
// after the last have diverged or collapsed. The rate is exact to a factor of two. A seed that has
// not learned counts with accuracy 0.
//
// Finished runs stand in a file, a line each: a sweep that was stopped goes on where it was.
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
  bool synchronous = false;  // a bound of no clock
};
// The synchronous server, the asynchronous one, its remedies for staleness, and sparse pushes with
// and without memory.
std::vector<SweepMethod> sweep_methods();

struct Sweep {
  RunConfig common;  // model, data, batch, epochs, durations; the rest is the sweep's
  std::vector<SweepMethod> methods = sweep_methods();
  std::vector<std::int64_t> workers = {1, 4, 16, 64};
  std::int64_t low = -8, high = 2;  // exponents of the rates
  std::int64_t seeds = 1;
};

struct SweepRun {
  std::string method;
  std::int64_t workers = 0, exponent = 0;
  std::uint64_t seed = 0;
  bool learned = false;
  double accuracy = 0, test_loss = 0;  // if it did
  double mean_staleness = 0;
  std::uint64_t message_bytes = 0;
};

// What the sweep has found of one method with so many workers.
struct SweepCell {
  std::string method;
  std::int64_t workers = 0;
  bool learned = false;  // at any rate
  double largest_stable_rate = 0, best_rate = 0;
  bool at_top = false;  // the largest of the sweep is stable: there may be larger ones
  double accuracy = 0, deviation = 0;  // over the seeds, at the best rate
  double mean_staleness = 0;
  std::uint64_t message_bytes = 0;
  std::string failure = "";  // of a run: the cell is not complete
};

// Goes on with the runs in `file`; an Error if they are of another sweep. The cells are by workers,
// then by method; after an interruption those that are complete.
std::vector<SweepCell> run_sweep(const Sweep& sweep, const std::filesystem::path& file,
                                 Series& series,
                                 const std::function<void(const SweepRun&)>& on_run);

// For people, in 80 columns: a row a method, and for each number of workers accuracy and largest
// stable rate.
std::string table_text(const std::vector<SweepCell>& cells);
nlohmann::json to_json(const Sweep& sweep, const std::vector<SweepCell>& cells);
// Accuracy at the best rate over the number of workers: an SVG document.
std::string chart_svg(const std::vector<SweepCell>& cells);

}  // namespace terse::run
