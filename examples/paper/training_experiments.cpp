#include "examples/paper/training_experiments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "examples/run/task.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/comm/setup/non_finite.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;
using run::RunConfig;

constexpr int kTrainerRevision = 1;  // raised when the trainer's results change
constexpr int kFurtherRates = 2;     // at most, where the best candidate is the first or the last

// Whatever changes the result, as it is written here: a canonical spec would change with every new
// option of a method.
json configuration_of(const Setting& setting, const Method& method) {
  const auto& c = setting.config;
  return {{"model", c.model},
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
}

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

// The result of one run: {score, …}, or {score, failure} if it diverged.
json result_of(const Setting& setting, RunConfig config) {
  run::complete(config);
  try {
    const auto result = run::train(config, data_of(config), {});
    json curve = json::array();
    for (const auto& evaluation : result.evaluations) {
      curve.push_back({{"epoch", evaluation.epoch},
                       {"score", evaluation.score()},
                       {"train_loss", evaluation.train_loss},
                       {"bytes", evaluation.bytes_sent_per_worker}});
    }
    return {{"score", result.evaluations.back().score()},
            {"train_loss", result.train_loss},
            {"steps", result.steps},
            {"message_bytes", result.message_bytes},
            {"bytes_sent_per_worker", result.bytes_sent_per_worker},
            {"model_hash", fmt::format("{:016x}", result.model_hash)},
            {"seconds", std::round(10 * result.seconds) / 10},
            {"curve", curve}};
  } catch (const NonFiniteGradient& e) {
    return {{"score", setting.guess}, {"failure", e.what()}};
  }
}

RunConfig with(const Setting& setting, const Method& method, double rate, std::uint64_t seed) {
  RunConfig config = setting.config;
  config.compressor = method.compressor;
  config.optimizer = method.optimizer;
  config.lr = rate;
  config.seed = seed;
  return config;
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
  auto setting = image_setting("perceptron", "mlp:hidden=64", 15, scale);
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
  if (scale == Scale::whole) setting.thrice = {"sgd", "vote", "powersgd-2"};
  return setting;
}

Setting lstm(Scale scale) {
  Setting setting{
      .name = "lstm", .config = {}, .seconds = 400, .guess = 11'823, .lower_is_better = true};
  setting.config.model = "lstm";
  setting.config.data = "kjv";
  setting.config.batch = 8;
  setting.config.epochs = 2;
  if (scale == Scale::whole) setting.thrice = {"sgd", "vote", "powersgd-4"};
  if (scale == Scale::quick) {
    setting.config.data = "kjv:vocab=500";
    setting.config.steps = 6;
    setting.config.eval_every = 0;
    setting.tuning_steps = 3;
  }
  return setting;
}

std::string tuning_of(const Setting& setting, const Method& method) {
  return fmt::format("{}/tuning/{}", setting.name, method.name);
}
std::string row_of(const Setting& setting, const Method& method) {
  return fmt::format("{}/{}", setting.name, method.name);
}

Experiment tuned(const Setting& setting, const Method& method) {
  const std::vector<double> rates = {method.rate / 2, method.rate, 2 * method.rate};
  auto configuration = configuration_of(setting, method);
  configuration.update({{"epochs", setting.tuning_epochs},
                        {"steps", setting.tuning_steps},
                        {"evaluate", "valid"},
                        {"rates", rates}});
  const auto share =
      static_cast<double>(setting.tuning_epochs) / static_cast<double>(setting.config.epochs);
  const auto loss_at = [=](double rate) {
    auto config = with(setting, method, rate, 1);
    config.epochs = setting.tuning_epochs;
    config.steps = setting.tuning_steps;
    config.evaluate = run::Split::valid;
    config.eval_every = 0;
    const double score = result_of(setting, config)["score"];
    return setting.lower_is_better ? score : -score;
  };
  return {.name = tuning_of(setting, method),
          .configuration = std::move(configuration),
          .seconds = 4 * setting.seconds * share,
          .measure =
              [=](const Rows&) {
                std::map<double, double> losses;
                for (const double rate : rates) losses[rate] = loss_at(rate);
                auto best = losses.begin();
                for (int further = 0; further <= kFurtherRates; ++further) {
                  best =
                      std::ranges::min_element(losses, {}, [](const auto& l) { return l.second; });
                  const bool first = best == losses.begin(), last = best == std::prev(losses.end());
                  if (further == kFurtherRates || !(first || last)) break;
                  const double next = first ? best->first / 2 : 2 * best->first;
                  losses[next] = loss_at(next);
                }
                json tried = json::array(), scores = json::array();
                for (const auto& [rate, loss] : losses) {
                  tried.push_back(rate);
                  scores.push_back(setting.lower_is_better ? loss : -loss);
                }
                return json{{"rates", tried}, {"scores", scores}, {"best", best->first}};
              },
          .data = setting.config.data};
}

Experiment trained(const Setting& setting, const Method& method) {
  const bool thrice = std::ranges::find(setting.thrice, method.name) != setting.thrice.end();
  const std::int64_t seeds = thrice ? 3 : setting.seeds;
  auto configuration = configuration_of(setting, method);
  configuration["seeds"] = seeds;
  configuration["lr"] = tuned(setting, method).configuration;  // whose best rate it takes
  return {.name = row_of(setting, method),
          .configuration = std::move(configuration),
          .seconds = setting.seconds * static_cast<double>(seeds),
          .measure =
              [=](const Rows& rows) {
                const double rate = rows[tuning_of(setting, method)]["best"];
                json all = json::array();
                for (std::int64_t seed = 1; seed <= seeds; ++seed) {
                  all.push_back(result_of(
                      setting, with(setting, method, rate, static_cast<std::uint64_t>(seed))));
                }
                return json{{"lr", rate}, {"seeds", all}};
              },
          .data = setting.config.data,
          .needs = {tuning_of(setting, method)}};
}

}  // namespace terse::paper
