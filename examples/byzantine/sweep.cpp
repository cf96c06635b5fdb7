#include "examples/byzantine/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "examples/run/run_log.hpp"
#include "tersegrad/comm/faults/attack.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse::run {
namespace {

std::string aggregation_of(const std::string& method, std::int64_t workers,
                           std::int64_t byzantine) {
  if (method == "trimmed")
    return fmt::format("trimmed:f={}", std::min(byzantine, (workers - 1) / 2));
  if (method == "krum") return fmt::format("krum:f={}", std::min(byzantine, workers - 3));
  return method == "vote" ? "mean" : method;
}

// "none" without Byzantine workers, so that all attacks share these runs.
std::string attack_by(const std::string& attack, std::int64_t byzantine) {
  auto parsed = parse_attack(attack);
  parsed.workers = static_cast<int>(byzantine);
  return byzantine == 0 ? "none" : to_string(parsed);
}

RunConfig config_of(const RunConfig& common, const ByzantineCell& cell) {
  RunConfig c = common;
  c.topology = RunTopology::local;
  c.workers = cell.workers;
  c.compressor = cell.method == "vote" ? "vote:beta=0.9" : "none";
  c.aggregate = cell.aggregate;
  c.attack = attack_by(cell.attack, cell.byzantine);
  c.non_finite = NonFinite::skip_step;
  c.max_skipped = 0;  // a run whose model has diverged is a result
  c.eval_every = 0;
  complete(c);
  return c;
}

std::vector<ByzantineCell> cells_of(const ByzantineSweep& sweep) {
  const auto methods = sweep.methods.empty() ? byzantine_methods() : sweep.methods;
  for (const auto& method : methods) {
    const auto known = byzantine_methods();
    check<UsageError>(std::ranges::find(known, method) != known.end(), "{}",
                      unknown_name("method", method, known));
  }
  std::vector<ByzantineCell> cells;
  for (const auto& attack : sweep.attacks) {
    check<UsageError>(parse_attack(attack).kind != Attack::Kind::none,
                      "--attack: expected an attack; got {}; runs without attack are always "
                      "included",
                      attack);
    for (const auto workers : sweep.workers) {
      check<UsageError>(workers >= 3 && workers <= 1024,
                        "--workers: expected 3 to 1024, so that a majority can be honest; got {}",
                        workers);
      for (const auto& method : methods) {
        for (const auto byzantine : byzantine_counts(workers)) {
          cells.push_back({.attack = attack,
                           .method = method,
                           .workers = workers,
                           .byzantine = byzantine,
                           .aggregate = aggregation_of(method, workers, byzantine)});
        }
      }
    }
  }
  for (auto& cell : cells) cell.lr = config_of(sweep.common, cell).lr.value_or(0);
  return cells;
}

}  // namespace

nlohmann::json common_settings(const ByzantineSweep& sweep) {
  const auto& c = sweep.common;
  return {{"model", c.model},
          {"data", c.data},
          {"batch", c.batch},
          {"steps", c.steps},
          {"schedule", c.schedule},
          {"seed", c.seed},
          {"evaluate", c.evaluate.name()}};
}

std::vector<std::string> byzantine_methods() {
  return {"vote", "mean", "median", "trimmed", "krum"};
}

std::vector<std::int64_t> byzantine_counts(std::int64_t workers) {
  std::vector<std::int64_t> all = {0};
  const auto stride = std::max<std::int64_t>(1, workers / 7), half = workers / 2;
  for (std::int64_t byzantine = 1; byzantine <= half; byzantine += stride) all.push_back(byzantine);
  if (all.back() < half) all.push_back(half);
  all.push_back(half + 1);
  return all;
}

std::vector<ByzantineCell> run_byzantine(const ByzantineSweep& sweep,
                                         const std::filesystem::path& file, Series& series,
                                         const std::function<void(const ByzantineCell&)>& on_run) {
  auto cells = cells_of(sweep);
  const auto data = load_data(sweep.common);
  print_notes(data);
  RunLog log(file, common_settings(sweep));
  const auto split = sweep.common.evaluate.value();
  for (auto row = cells.begin(); row != cells.end(); ++row) {
    auto& cell = *row;
    const auto config = config_of(sweep.common, cell);
    const nlohmann::json key = {{"attack", config.attack},
                                {"method", cell.method},
                                {"workers", cell.workers},
                                {"liars", cell.byzantine}};
    if (const auto* known = log.find(key)) {
      series.run([] {});
      cell.accuracy = known->at(accuracy_key(split));
      // JSON has no infinity: the loss of a model that has diverged may be null.
      const auto& loss = known->at(loss_key(split));
      cell.loss = loss.is_null() ? NAN : loss.get<double>();
      continue;
    }
    cell.failure = series.run([&] {
      const auto last = train(config, data, {}).evaluations.back();
      cell.accuracy = last.accuracy;
      cell.loss = last.loss;
    });
    if (series.interrupted()) {
      cells.erase(row, cells.end());
      break;
    }
    if (on_run) on_run(cell);
    if (!cell.failure.empty()) continue;  // the next sweep tries it again
    auto run = key;
    run.update({{accuracy_key(split), cell.accuracy}, {loss_key(split), cell.loss}});
    log.add(std::move(run));
  }
  log.finish();
  return cells;
}

}  // namespace terse::run
