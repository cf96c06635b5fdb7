#include "examples/staleness/sweep.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "examples/run/evaluator.hpp"
#include "examples/run/run_log.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse::run {
namespace {

nlohmann::json to_json(const SweepRun& r, Split split) {
  nlohmann::json json = {{"method", r.method},
                         {"workers", r.workers},
                         {"exponent", r.exponent},
                         {"seed", r.seed},
                         {"learned", r.learned}};
  if (!r.learned) return json;
  json.update({{"accuracy", r.accuracy},
               {loss_key(split), r.loss},
               {"mean_staleness", r.mean_staleness},
               {"message_bytes", r.message_bytes}});
  return json;
}

SweepRun run_from(const nlohmann::json& json, Split split) {
  SweepRun r{.method = json.at("method"),
             .workers = json.at("workers"),
             .exponent = json.at("exponent"),
             .seed = json.at("seed"),
             .learned = json.at("learned")};
  if (!r.learned) return r;
  r.accuracy = json.at("accuracy");
  r.loss = json.at(loss_key(split));
  r.mean_staleness = json.at("mean_staleness");
  r.message_bytes = json.at("message_bytes");
  return r;
}

RunConfig config_of(const Sweep& sweep, const SweepMethod& method, const SweepRun& run) {
  RunConfig c = sweep.common;
  c.topology = RunTopology::async;
  c.workers = run.workers;
  c.compressor = method.compressor;
  c.async.server_rule = method.rule;
  c.async.staleness = method.synchronous ? 0 : -1;
  c.lr = std::exp2(run.exponent);
  c.seed = run.seed;
  c.eval_every = 0;
  complete(c);
  return c;
}

double untrained_loss(const RunConfig& config, const Dataset& data) {
  const auto task = make_task(config, data, 0, 1, 0);
  return Evaluator(config.evaluate.value(), data).evaluate(*task).loss;
}

class Sweeper {
 public:
  Sweeper(const Sweep& sweep, const std::filesystem::path& file,
          const std::function<void(const SweepRun&)>& on_run)
      : sweep_(sweep),
        on_run_(on_run),
        split_(sweep.common.evaluate.value()),
        runs_(file, common_settings(sweep)) {
    for (const auto workers : sweep.workers) {  // throws for what cannot work before anything runs
      for (const auto& method : sweep.methods) {
        config_of(sweep, method, {.method = method.name, .workers = workers, .seed = 1});
      }
    }
    data_ = load_data(sweep.common);
    print_notes(data_);
    most_loss_ = 0.9 * untrained_loss(sweep.common, data_);
  }

  SweepCell cell(const SweepMethod& method, std::int64_t workers) {
    SweepCell cell{.method = method.name, .workers = workers};
    std::optional<SweepRun> best;
    for (auto exponent = sweep_.low; exponent <= sweep_.high; ++exponent) {
      const auto r = run(method, workers, exponent, 1);
      if (!r.learned && best) break;
      if (!r.learned) continue;
      cell.largest_stable_rate = std::exp2(exponent);
      cell.at_top = exponent == sweep_.high;
      if (!best || r.accuracy > best->accuracy) best = r;
    }
    if (!best) return cell;
    cell.learned = true;
    cell.best_rate = std::exp2(best->exponent);
    cell.mean_staleness = best->mean_staleness;
    cell.message_bytes = best->message_bytes;
    std::vector<double> scores = {best->accuracy};
    for (std::uint64_t seed = 2; seed <= static_cast<std::uint64_t>(sweep_.seeds); ++seed) {
      scores.push_back(run(method, workers, best->exponent, seed).accuracy);
    }
    for (const double s : scores) cell.accuracy += s / static_cast<double>(scores.size());
    double squares = 0;
    for (const double s : scores) squares += (s - cell.accuracy) * (s - cell.accuracy);
    if (scores.size() > 1)
      cell.deviation = std::sqrt(squares / static_cast<double>(scores.size() - 1));
    return cell;
  }

  void finish() { runs_.finish(); }

 private:
  SweepRun run(const SweepMethod& method, std::int64_t workers, std::int64_t exponent,
               std::uint64_t seed) {
    SweepRun r{.method = method.name, .workers = workers, .exponent = exponent, .seed = seed};
    const nlohmann::json key = {
        {"method", method.name}, {"workers", workers}, {"exponent", exponent}, {"seed", seed}};
    if (const auto* known = runs_.find(key)) return run_from(*known, split_);
    try {
      const auto result = train(config_of(sweep_, method, r), data_, {});
      const auto& last = result.evaluations.back();
      r.learned = last.loss <= most_loss_;  // false for NaN
      r.accuracy = last.accuracy;
      r.loss = last.loss;
      r.mean_staleness = result.async->staleness.mean();
      r.message_bytes = result.message_bytes;
    } catch (const NonFiniteGradient&) {
      r.learned = false;
    }
    runs_.add(to_json(r, split_));
    if (on_run_) on_run_(r);
    return r;
  }

  const Sweep& sweep_;
  const std::function<void(const SweepRun&)>& on_run_;
  Split split_;
  RunLog runs_;
  Dataset data_;
  double most_loss_ = 0;
};

}  // namespace

nlohmann::json common_settings(const Sweep& sweep) {
  const auto& c = sweep.common;
  return {{"model", c.model},
          {"data", c.data},
          {"batch", c.batch},
          {"epochs", c.epochs},
          {"optimizer", c.optimizer},
          {"schedule", c.schedule},
          {"partition", c.partition},
          {"durations", c.async.durations},
          {"evaluate", c.evaluate.name()}};
}

std::vector<SweepMethod> sweep_methods() {
  const auto sparse = [](const char* name, const char* compressor) {
    return SweepMethod{.name = name, .compressor = compressor};
  };
  return {{.name = "synchronous", .synchronous = true},
          {.name = "asynchronous"},
          {.name = "staleness-aware", .rule = "staleness_aware"},
          {.name = "DC-ASGD", .rule = "dc_asgd"},
          {.name = "DC-ASGD adaptive", .rule = "dc_asgd_adaptive"},
          sparse("top 10 %, memory", "topk:ratio=0.1+ef"),
          sparse("top 10 %", "topk:ratio=0.1"),
          sparse("top 1 %, memory", "topk:ratio=0.01+ef"),
          sparse("top 1 %", "topk:ratio=0.01"),
          sparse("top 0.1 %, memory", "topk:ratio=0.001+ef"),
          sparse("top 0.1 %", "topk:ratio=0.001"),
          sparse("random 1 %, memory", "randomk:ratio=0.01+ef"),
          sparse("random 1 %", "randomk:ratio=0.01")};
}

std::vector<SweepMethod> sweep_methods(const std::vector<std::string>& names) {
  std::vector<SweepMethod> chosen;
  std::vector<std::string> known;
  for (const auto& method : sweep_methods()) known.push_back(method.name);
  for (const auto& name : names) {
    const auto place = std::ranges::find(known, name);
    check<UsageError>(place != known.end(), "{}", unknown_name("method", name, known));
    chosen.push_back(sweep_methods()[static_cast<std::size_t>(place - known.begin())]);
  }
  return chosen;
}

std::vector<SweepCell> run_sweep(const Sweep& sweep, const std::filesystem::path& file,
                                 Series& series,
                                 const std::function<void(const SweepRun&)>& on_run) {
  Sweeper sweeper(sweep, file, on_run);
  std::vector<SweepCell> cells;
  for (const auto workers : sweep.workers) {
    for (const auto& method : sweep.methods) {
      SweepCell cell;
      const auto failure = series.run([&] { cell = sweeper.cell(method, workers); });
      if (series.interrupted()) {
        sweeper.finish();
        return cells;
      }
      if (!failure.empty()) cell = {.method = method.name, .workers = workers, .failure = failure};
      cells.push_back(std::move(cell));
    }
  }
  sweeper.finish();
  return cells;
}

}  // namespace terse::run
