#include "examples/paper/training_experiments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "examples/run/result.hpp"
#include "examples/run/task.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;
using run::RunConfig;

constexpr int kTrainerRevision = 1;  // raised when the trainer's results change
constexpr int kFurtherRates = 2;     // at most, where the best candidate is the first or the last

// The data of the latest run: series of runs mostly have the same.
const run::Dataset& data_of(const RunConfig& config) {
  static std::string loaded;
  static std::optional<run::Dataset> data;
  if (!data || loaded != config.data) {
    data.reset();
    data = run::load_data(config);
    loaded = config.data;
  }
  return *data;
}

// A run that diverged has the score and the loss of a model that guesses.
json diverged_run(const Setting& setting, const std::string& reason) {
  return {{"score", setting.guess},
          {"loss", std::log(setting.lower_is_better ? setting.guess : 100 / setting.guess)},
          {"failure", reason}};
}

// JSON has no infinity and no NaN, and neither is a result that could be compared.
bool is_finite(const run::RunResult& result) {
  return result.finite && std::isfinite(result.train_loss) &&
         std::ranges::all_of(result.evaluations, [](const run::Evaluation& evaluation) {
           return std::isfinite(evaluation.score()) && std::isfinite(evaluation.loss) &&
                  std::isfinite(evaluation.train_loss);
         });
}

// Whose rates are tried for these runs.
const Setting& tuned_setting(const Setting& setting) {
  return setting.rates_of ? *setting.rates_of : setting;
}
const Method& tuned_method(const Method& method) {
  return method.rate_of ? *method.rate_of : method;
}

// The rates as candidates for the learning rate, and at most `further` beyond the best one while it
// is the first or the last.
Experiment candidates(const Setting& setting, const Method& method, std::string name,
                      const std::vector<double>& rates, int further) {
  auto shorter = setting;
  shorter.config.epochs = setting.tuning_epochs;
  shorter.config.steps = setting.tuning_steps;
  shorter.config.eval_steps = 0;  // only the last evaluation counts
  auto configuration = configuration_of(shorter, method);
  configuration.update({{"evaluate", "valid"}, {"rates", rates}});
  const auto share =
      static_cast<double>(setting.tuning_epochs) / static_cast<double>(setting.config.epochs);
  const auto runs = static_cast<double>(rates.size()) + (further > 0 ? 1 : 0);
  return {.name = std::move(name),
          .configuration = std::move(configuration),
          .seconds = runs * setting.seconds * share,
          .measure = [=](const Rows&) { return validated(shorter, method, rates, further); },
          .data = setting.config.data};
}

constexpr const char* kImages = "fashion-mnist:valid=5000";
constexpr const char* kFewImages = "fashion-mnist:train=4000,valid=1000,test=1000";

Setting image_setting(const char* name, const char* model, double seconds, Scale scale) {
  Setting setting{.name = name, .config = {}, .seconds = seconds, .guess = 10};
  setting.config.model = model;
  setting.config.data = scale == Scale::whole ? kImages : kFewImages;
  setting.seeds = scale == Scale::whole ? 3 : 1;
  if (scale == Scale::quick) {
    setting.config.steps = 12;
    setting.config.eval_every = 0;
    setting.tuning_steps = 6;
  }
  return setting;
}

}  // namespace

void load(const std::string& data) {
  RunConfig config;
  config.data = data;
  data_of(config);
}

Setting perceptron(Scale scale) {
  auto setting = image_setting("perceptron", "mlp:hidden=64", 2, scale);
  setting.config.workers = 1;
  setting.config.topology = run::RunTopology::local;
  setting.config.batch = 128;
  setting.config.epochs = setting.tuning_epochs = 5;
  return setting;
}

Setting lenet(Scale scale) {
  auto setting = image_setting("lenet", "lenet", 8, scale);
  setting.config.epochs = setting.tuning_epochs = 3;
  return setting;
}

Setting resnet20(Scale scale) {
  auto setting = image_setting("resnet20", "resnet20", 360, scale);
  setting.config.epochs = 4;
  setting.seeds = 1;
  if (scale == Scale::whole) {
    setting.thrice = {"half", "sgd", "vote", "powersgd-2", "powersgd-2-at-sgds-rate"};
  }
  if (scale == Scale::quick) setting.config.steps = setting.tuning_steps = 2;
  return setting;
}

Setting lstm(Scale scale) {
  Setting setting{
      .name = "lstm", .config = {}, .seconds = 400, .guess = 11'823, .lower_is_better = true};
  setting.config.model = "lstm";
  setting.config.data = "kjv";
  setting.config.batch = 8;
  setting.config.epochs = 2;
  if (scale == Scale::whole) {
    setting.thrice = {"half", "sgd", "vote", "powersgd-1", "powersgd-4", "powersgd-4-mean"};
    setting.config.eval_steps = 221;  // four in an epoch
  }
  if (scale == Scale::quick) {
    setting.config.data = "kjv:vocab=500";
    setting.config.steps = 6;
    setting.config.eval_every = 0;
    setting.tuning_steps = 3;
  }
  return setting;
}

Setting asynchronous(Scale scale, int workers) {
  auto setting = image_setting("", "mlp:hidden=64", 1, scale);
  setting.name = fmt::format("async-{}", workers);
  setting.config.topology = run::RunTopology::async;
  setting.config.workers = workers;
  setting.config.epochs = 1;
  if (scale == Scale::whole) setting.seeds = 10;
  return setting;
}

Setting asynchronous_resnet20(Scale scale) {
  auto setting = asynchronous(scale, 16);
  setting.name = "async-resnet20";
  setting.config.model = "resnet20";
  setting.seconds = 95;
  setting.seeds = scale == Scale::whole ? 3 : 1;
  if (scale == Scale::quick) setting.config.steps = setting.tuning_steps = 2;
  return setting;
}

// As it is written here: a canonical spec would change with every new option of a method. Keys that
// were added later are left out of runs that they do not concern, so that stored rows stay valid.
json configuration_of(const Setting& setting, const Method& method) {
  const auto& c = setting.config;
  json all = {{"model", c.model},
              {"data", c.data},
              {"workers", c.workers},
              {"topology", c.topology.name()},
              {"batch", c.batch},
              {"epochs", c.epochs},
              {"steps", c.steps},
              {"schedule", c.schedule},
              {"partition", c.partition},
              {"attack", c.attack},
              {"aggregate", c.aggregate},
              {"compressor", method.compressor},
              {"optimizer", method.optimizer},
              {"revision", {kTrainerRevision, method.revision}}};
  if (c.is_async()) {
    all.update({{"durations", c.async.durations},
                {"server_rule", method.server_rule},
                {"sparse_pulls", c.async.sparse_pulls}});
  }
  if (c.network) all.update({{"network", *c.network}, {"compute", c.compute.value_or("")}});
  if (c.eval_steps > 0) all["eval_steps"] = c.eval_steps;
  return all;
}

json with_trainer_revision(json configuration) {
  if (kTrainerRevision > 1) configuration["trainer"] = kTrainerRevision;
  return configuration;
}

json run_once(const Setting& setting, const Method& method, double rate, std::uint64_t seed) {
  RunConfig config = setting.config;
  config.compressor = method.compressor;
  config.optimizer = method.optimizer;
  config.async.server_rule = method.server_rule;
  config.lr = rate;
  config.seed = seed;
  run::complete(config);
  try {
    const auto result = run::train(config, data_of(config), {});
    if (!is_finite(result)) {
      return diverged_run(setting, "a loss, a score or a parameter is not finite");
    }
    json curve = json::array();
    for (const auto& evaluation : result.evaluations) {
      curve.push_back({{"epoch", evaluation.epoch},
                       {"score", evaluation.score()},
                       {"train_loss", evaluation.train_loss},
                       {"bytes", evaluation.bytes_sent_per_worker}});
      if (evaluation.virtual_seconds) {
        curve.back()["virtual_seconds"] = *evaluation.virtual_seconds;
      }
    }
    return {{"score", result.evaluations.back().score()},
            {"loss", result.evaluations.back().loss},
            {"train_loss", result.train_loss},
            {"steps", result.steps},
            {"message_bytes", result.message_bytes},
            {"bytes_sent_per_worker", result.bytes_sent_per_worker},
            {"model_hash", fmt::format("{:016x}", result.model_hash)},
            {"seconds", std::round(10 * result.seconds) / 10},
            {"curve", curve}};
  } catch (const NonFiniteGradient& e) {
    return diverged_run(setting, e.what());
  }
}

json validated(Setting setting, const Method& method, const std::vector<double>& rates,
               int further) {
  setting.config.evaluate = run::Split::valid;
  setting.config.eval_every = setting.config.eval_steps = 0;
  const double sign = setting.lower_is_better ? 1 : -1;
  std::map<double, double> losses;
  const auto judge = [&](double rate) {
    losses[rate] = sign * run_once(setting, method, rate, 1)["score"].get<double>();
  };
  const auto best = [&] {
    return std::ranges::min_element(losses, {}, [](const auto& each) { return each.second; });
  };
  for (const double rate : rates) judge(rate);
  for (int i = 0; i < further; ++i) {
    if (best() == losses.begin()) {
      judge(best()->first / 2);
    } else if (best() == std::prev(losses.end())) {
      judge(2 * best()->first);
    } else {
      break;
    }
  }
  json tried = json::array(), scores = json::array();
  for (const auto& [rate, loss] : losses) {
    tried.push_back(rate);
    scores.push_back(sign * loss);
  }
  return {{"rates", tried}, {"scores", scores}, {"best", best()->first}};
}

std::string tuning_of(const Setting& setting, const Method& method) {
  return fmt::format("{}/tuning/{}", tuned_setting(setting).name, tuned_method(method).name);
}
std::string sweep_of(const Setting& setting, const Method& method) {
  return fmt::format("{}/rates/{}", setting.name, method.name);
}
std::string row_of(const Setting& setting, const Method& method) {
  return fmt::format("{}/{}", setting.name, method.name);
}

Experiment tuned(const Setting& setting, const Method& method) {
  const auto& own = tuned_method(method);
  return candidates(tuned_setting(setting), own, tuning_of(setting, own),
                    {own.rate / 2, own.rate, 2 * own.rate}, kFurtherRates);
}

Experiment swept(const Setting& setting, const Method& method) {
  std::vector<double> rates;
  for (int power = -13; power <= -2; ++power) rates.push_back(std::ldexp(1, power));
  return candidates(setting, method, sweep_of(setting, method), rates, 0);
}

Experiment trained(const Setting& setting, const Method& method) {
  const bool thrice = std::ranges::find(setting.thrice, method.name) != setting.thrice.end();
  const std::int64_t seeds = thrice ? 3 : setting.seeds;
  auto configuration = configuration_of(setting, method);
  configuration["seeds"] = seeds;
  configuration["lr"] = tuned(setting, method).configuration;  // whose best rate it takes
  const auto best_rate = [tuning = tuning_of(setting, method)](const Rows& rows) {
    return rows[tuning].at("best").get<double>();
  };
  return {.name = row_of(setting, method),
          .configuration = std::move(configuration),
          .seconds = setting.seconds * static_cast<double>(seeds),
          .measure =
              [=](const Rows& rows) {
                return json{{"lr", best_rate(rows)}};
              },
          .data = setting.config.data,
          .needs = {tuning_of(setting, method)},
          .seeds = seeds,
          .measure_seed =
              [=](const Rows& rows, std::uint64_t seed) {
                return run_once(setting, method, best_rate(rows), seed);
              }};
}

}  // namespace terse::paper
