// How many Byzantine workers methods tolerate: a short run for each attack, number of workers,
// method and number of Byzantine workers, over topology `local`, with the rate that is recommended
// without an attack.
//
//   vote       signs with momentum and their majority: vote:beta=0.9
//   mean       full gradients and the rule of this name (comm/topology/aggregation.hpp)
//   median     likewise
//   trimmed    likewise, f = the number of Byzantine workers, at most (W - 1) / 2
//   krum       likewise, at most W - 3
//
// trimmed and krum are given the number of Byzantine workers, which in practice is a guess. The
// Byzantine workers have the last ranks. A step with a gradient that is not finite is skipped.
// Finished runs are kept in a file (run_log.hpp).
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

struct ByzantineSweep {
  RunConfig common;                  // model, data, batch, steps, seed; the sweep sets the rest
  std::vector<std::string> methods;  // empty: all
  std::vector<std::string> attacks;
  std::vector<std::int64_t> workers;
};
// What all runs have in common, as the file of finished runs records it.
nlohmann::json common_settings(const ByzantineSweep& sweep);
std::vector<std::string> byzantine_methods();
// 0, 1, then in strides to W / 2, and W / 2 + 1: about six.
std::vector<std::int64_t> byzantine_counts(std::int64_t workers);

struct ByzantineCell {
  std::string attack, method;
  std::int64_t workers = 0, byzantine = 0;
  std::string aggregate;
  double lr = 0;
  double accuracy = 0, loss = 0;  // at the end
  std::string failure = {};       // the error, if there is no result
};

// The cells are ordered by attack, workers, method and number of Byzantine workers. After an
// interruption only finished cells are returned. UsageError for what cannot work, before any run.
std::vector<ByzantineCell> run_byzantine(const ByzantineSweep& sweep,
                                         const std::filesystem::path& file, Series& series,
                                         const std::function<void(const ByzantineCell&)>& on_run);

// In 80 columns: a table for each attack and number of workers.
std::string table_text(const ByzantineSweep& sweep, const std::vector<ByzantineCell>& cells);
nlohmann::json to_json(const ByzantineSweep& sweep, const std::vector<ByzantineCell>& cells);
// SVG: accuracy over the share of Byzantine workers, a chart for each table.
std::string chart_svg(const ByzantineSweep& sweep, const std::vector<ByzantineCell>& cells);

}  // namespace terse::run
