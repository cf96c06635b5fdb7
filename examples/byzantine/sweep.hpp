// How many liars methods bear: a short run for each attack, number of workers, number of liars and
// method, over topology `local`, with the rate that is recommended for the method without liars.
//
//   vote       signs with momentum and their majority: vote:beta=0.9
//   mean       the others: full gradients, combined by
//   median     the rule of this name (comm/topology/aggregation.hpp)
//   trimmed    f = the number of liars, at most what the rule takes: (W - 1) / 2
//   krum       likewise, at most W - 3
//
// So trimmed and krum know how many liars there are, which in earnest is a guess. Liars are the
// last ranks: 0, 1, a stride further up to half of all, and one more than half. A step in which
// anybody's gradient is infinite or NaN is skipped: a model that is lost stays lost.
//
// Finished runs stand in a file (run_log.hpp).
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
  RunConfig common;                  // model, data, batch, steps, seed; the rest is the sweep's
  std::vector<std::string> methods;  // all, if there are none
  std::vector<std::string> attacks;
  std::vector<std::int64_t> workers;
};
std::vector<std::string> byzantine_methods();
// 0, 1, … W / 2, W / 2 + 1: at most six or so.
std::vector<std::int64_t> liars_among(std::int64_t workers);

struct ByzantineCell {
  std::string attack, method;
  std::int64_t workers = 0, liars = 0;
  std::string aggregate;
  double lr = 0;
  double accuracy = 0, test_loss = 0;  // of the model that is left
  std::string failure = "";            // why there is none
};

// The cells are ordered by attack, workers, method and number of attackers. After an interruption
// only the finished ones are returned. UsageError for what cannot work, before anything runs.
std::vector<ByzantineCell> run_byzantine(const ByzantineSweep& sweep,
                                         const std::filesystem::path& file, Series& series,
                                         const std::function<void(const ByzantineCell&)>& on_run);

// For people, in 80 columns: a table for each attack and number of workers.
std::string table_text(const std::vector<ByzantineCell>& cells);
nlohmann::json to_json(const ByzantineSweep& sweep, const std::vector<ByzantineCell>& cells);
// Accuracy over the share of liars, a picture for each table, one below the other: SVG.
std::string chart_svg(const std::vector<ByzantineCell>& cells);

}  // namespace terse::run
