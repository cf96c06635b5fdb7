#include "examples/paper/asynchronous_experiments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

// The middle candidates for 1, 4, 16 and 64 workers.
using RatesByWorkers = std::array<double, 4>;

double rate_for(int workers, const RatesByWorkers& rates) {
  constexpr std::array kWorkers = {1, 4, 16, 64};
  const auto place = std::ranges::find(kWorkers, workers);
  check(place != kWorkers.end(), "workers: expected 1, 4, 16 or 64; got {}", workers);
  return rates[static_cast<std::size_t>(place - kWorkers.begin())];
}

Method pushing(const char* name, const char* compressor, double rate) {
  return {.name = name, .compressor = compressor, .rate = rate};
}

constexpr RatesByWorkers kDenseRates = {1.0 / 4, 1.0 / 8, 1.0 / 16, 1.0 / 32};

}  // namespace

Method dense_pushes(int workers) {
  return pushing("dense", "none", rate_for(workers, kDenseRates));
}

Method damped_pushes() {
  auto method = pushing("staleness-aware", "none", 1.0 / 4);
  method.server_rule = "staleness_aware";
  return method;
}

Method top_10(int workers) {
  return pushing("top-10", "topk:ratio=0.1+ef", rate_for(workers, kDenseRates));
}

Method top_1(int workers) {
  return pushing("top-1", "topk:ratio=0.01+ef",
                 rate_for(workers, {1.0 / 4, 1.0 / 8, 1.0 / 16, 1.0 / 16}));
}

Method top_01(int workers) {
  return pushing("top-0.1", "topk:ratio=0.001+ef",
                 rate_for(workers, {1.0 / 4, 1.0 / 8, 1.0 / 8, 1.0 / 32}));
}

Method top_1_forgetful() {
  return pushing("top-1-no-memory", "topk:ratio=0.01", 1.0 / 16);
}

Method random_1() {
  return pushing("random-1", "randomk:ratio=0.01+ef", 1.0 / 32);
}

Method resnet_pushes(Method method) {
  method.rate = 0.05;
  return method;
}

Setting followed(Scale scale) {
  auto setting = asynchronous(scale, 16);
  setting.rates_of = std::make_shared<const Setting>(setting);
  setting.name += "-followed";
  setting.config.eval_steps = scale == Scale::whole ? 100 : 4;
  return setting;
}

// ---- a slow network -----------------------------------------------------------------------------

Setting slow_network(Scale scale, Pulls pulls) {
  auto setting = asynchronous(scale, 16);
  setting.name += pulls == Pulls::sparse ? "-100mbps" : "-100mbps-whole-pulls";
  setting.seconds = 3;
  setting.config.network = "100mbps";
  setting.config.compute = "5ms";
  setting.config.async.sparse_pulls = pulls == Pulls::sparse;
  setting.config.eval_steps = scale == Scale::whole ? 50 : 6;
  return setting;
}

// Models leave the server's NIC one after the other, so that nearly all dense pushes have a
// staleness of 15, and the best rate is lower.
Method slow_dense_pushes() {
  return pushing("dense", "none", 1.0 / 64);
}
Method slow_top_1() {
  return pushing("top-1", "topk:ratio=0.01+ef", 1.0 / 32);
}

// ---- one worker ---------------------------------------------------------------------------------

Experiment one_worker(Scale scale) {
  const auto server = asynchronous(scale, 1);
  auto alone = server;
  alone.config.topology = run::RunTopology::local;
  const auto dense = dense_pushes(1), all = pushing("all-entries", "topk:ratio=1+ef", dense.rate);
  return {.name = "async/one-worker",
          .configuration = {{"alone", configuration_of(alone, dense)},
                            {"server", configuration_of(server, all)},
                            {"lr", dense.rate},
                            {"revision", 1}},
          .seconds = 3 * server.seconds,
          .measure =
              [=](const Rows&) {
                const auto model = [&](const Setting& setting, const Method& method) {
                  return run_once(setting, method, dense.rate, 1).at("model_hash");
                };
                return json{{"sgd", model(alone, dense)},
                            {"dense", model(server, dense)},
                            {"all_entries", model(server, all)}};
              },
          .data = server.config.data};
}

// ---- rates and workers --------------------------------------------------------------------------

namespace {

constexpr int kLowestRate = -8, kHighestRate = 3;  // exponents

// The rate of the run is stable.
bool is_stable(const json& run) {
  return !run.contains("failure") && run.at("loss").get<double>() <= 0.9 * std::log(10);
}

int largest_stable_rate(const Setting& setting, const Method& method, std::uint64_t seed) {
  const auto stable = [&](int exponent) {
    return is_stable(run_once(setting, method, std::exp2(exponent), seed));
  };
  int exponent = -2;
  if (stable(exponent)) {
    while (exponent < kHighestRate && stable(exponent + 1)) ++exponent;
    return exponent;
  }
  do {
    --exponent;
  } while (exponent >= kLowestRate && !stable(exponent));
  return exponent;
}

// {NAME: value(setting, method) for each number of workers} of the methods, for each seed.
json by_workers(Scale scale, const std::vector<int>& workers, std::int64_t seeds, run::Split split,
                const std::function<json(const Setting&, const Method&, std::uint64_t)>& value) {
  json all = json::array();
  for (std::uint64_t seed = 1; seed <= static_cast<std::uint64_t>(seeds); ++seed) {
    json of_seed = json::object();
    for (const auto& method : rate_methods()) {
      for (const int count : workers) {
        auto setting = asynchronous(scale, count);
        setting.config.evaluate = split;
        of_seed[method.name].push_back(value(setting, method, seed));
      }
    }
    all.push_back(std::move(of_seed));
  }
  return all;
}

// That of all runs, but for the number of workers.
json configuration_by_workers(Scale scale, const std::vector<int>& workers, std::int64_t seeds) {
  json methods = json::object();
  for (const auto& method : rate_methods()) {
    methods[method.name] = configuration_of(asynchronous(scale, 1), method);
  }
  return {{"methods", methods}, {"workers", workers}, {"seeds", seeds}, {"revision", 1}};
}

}  // namespace

std::vector<Method> rate_methods() {
  return {dense_pushes(1), top_10(1), top_1(1), damped_pushes()};
}

Experiment stable_rates(Scale scale) {
  const std::vector<int> workers = {1, 4, 16, 64};
  const std::int64_t seeds = scale == Scale::whole ? 3 : 1;  // each takes many runs
  auto configuration = configuration_by_workers(scale, workers, seeds);
  configuration["exponents"] = {kLowestRate, kHighestRate};
  const auto alone = asynchronous(scale, 1);
  return {.name = "async/stable-rates",
          .configuration = std::move(configuration),
          .seconds = 60 * alone.seconds * static_cast<double>(seeds),
          .measure =
              [=](const Rows&) {
                return json{{"workers", workers},
                            {"seeds", by_workers(scale, workers, seeds, run::Split::valid,
                                                 [](const Setting& setting, const Method& method,
                                                    std::uint64_t seed) {
                                                   return largest_stable_rate(setting, method,
                                                                              seed);
                                                 })}};
              },
          .data = alone.config.data};
}

Experiment fixed_rate(Scale scale) {
  const bool whole = scale == Scale::whole;  // a quick run has no data for 256 workers
  const auto workers = whole ? std::vector{1, 4, 16, 64, 256} : std::vector{1, 4, 16, 64};
  const std::int64_t seeds = whole ? 5 : 1;
  const auto alone = asynchronous(scale, 1);
  const auto tuning = tuned(alone, dense_pushes(1));
  auto configuration = configuration_by_workers(scale, workers, seeds);
  configuration["lr"] = tuning.configuration;  // whose best rate all have
  return {
      .name = "async/fixed-rate",
      .configuration = std::move(configuration),
      .seconds = 20 * alone.seconds * static_cast<double>(seeds),
      .measure =
          [=](const Rows& rows) {
            const double rate = rows[tuning.name].at("best");
            return json{
                {"rate", rate},
                {"workers", workers},
                {"seeds",
                 by_workers(scale, workers, seeds, run::Split::test,
                            [=](const Setting& setting, const Method& method, std::uint64_t seed) {
                              const auto run = run_once(setting, method, rate, seed);
                              return json{{"score", run.at("score")}, {"stable", is_stable(run)}};
                            })}};
          },
      .data = alone.config.data,
      .needs = {tuning.name}};
}

// ---- momentum -----------------------------------------------------------------------------------

namespace {

// Momentum m makes steps 1 / (1 − m) times larger, so the candidates are smaller by that factor.
double best_of_rates(const Setting& setting, Method method, double momentum, std::uint64_t seed) {
  method.optimizer = fmt::format("sgd:momentum={:g}", momentum);
  const double middle = method.rate * (1 - momentum);
  double best = setting.guess;
  for (const double rate : {middle / 2, middle, 2 * middle}) {
    best = std::max(best, run_once(setting, method, rate, seed).at("score").get<double>());
  }
  return best;
}

}  // namespace

Experiment server_momentum(Scale scale) {
  const std::vector<double> momenta = {0, 0.5, 0.9};
  auto few = asynchronous(scale, 1), many = asynchronous(scale, 16);
  few.config.evaluate = many.config.evaluate = run::Split::valid;
  const auto for_few = dense_pushes(1), for_many = dense_pushes(16);
  const auto seeds = static_cast<std::uint64_t>(many.seeds);
  return {.name = "async/momentum",
          .configuration = {{"few", configuration_of(few, for_few)},
                            {"many", configuration_of(many, for_many)},
                            {"rates", {for_few.rate, for_many.rate}},
                            {"momenta", momenta},
                            {"seeds", seeds},
                            {"revision", 1}},
          .seconds = 18 * many.seconds * static_cast<double>(seeds),
          .measure =
              [=](const Rows&) {
                json all = json::array();
                for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
                  json of_few = json::array(), of_many = json::array();
                  for (const double momentum : momenta) {
                    of_few.push_back(best_of_rates(few, for_few, momentum, seed));
                    of_many.push_back(best_of_rates(many, for_many, momentum, seed));
                  }
                  all.push_back({{"1", of_few}, {"16", of_many}});
                }
                return json{{"momenta", momenta}, {"seeds", all}};
              },
          .data = many.config.data};
}

}  // namespace terse::paper
