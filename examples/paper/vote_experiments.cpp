#include "examples/paper/vote_experiments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "examples/run/task.hpp"
#include "examples/run/training.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

struct TrainedWeights {
  std::vector<float> values;
  double score = 0;
};

TrainedWeights weights_of(run::RunConfig config, const run::Dataset& data, const char* optimizer) {
  config.optimizer = optimizer;
  run::complete(config);
  TrainedWeights weights;
  run::Listener listener;
  listener.on_weights = [&](std::int64_t, const std::string&, std::span<const float> values) {
    weights.values.insert(weights.values.end(), values.begin(), values.end());
  };
  weights.score = run::train(config, data, listener).evaluations.back().score();
  return weights;
}

// The setting with another name and the best rates of its own.
Setting varied(const Setting& setting, const std::string& name) {
  Setting result = setting;
  result.name = fmt::format("{}/{}", setting.name, name);
  result.rates_of = std::make_shared<const Setting>(setting);
  result.config.eval_every = 0;
  return result;
}

}  // namespace

Experiment adam_limit(Scale scale) {
  auto config = perceptron(scale).config;
  config.steps = 100;
  config.eval_every = 0;
  config.schedule = "constant";
  config.lr = std::ldexp(1, -10);
  const char* const adam = "adam:beta1=0,beta2=0,eps=1e-30";
  return {.name = "perceptron/adam-limit",
          .configuration = with_trainer_revision({{"model", config.model},
                                                  {"data", config.data},
                                                  {"batch", config.batch},
                                                  {"steps", config.steps},
                                                  {"lr", *config.lr},
                                                  {"optimizers", {adam, "signsgd"}},
                                                  {"revision", 1}}),
          .seconds = 2,
          .measure =
              [=](const Rows&) {
                const auto data = run::load_data(config);
                const auto by_adam = weights_of(config, data, adam);
                const auto by_signs = weights_of(config, data, "signsgd");
                std::size_t differ = 0;
                double most = 0;
                for (std::size_t i = 0; i < by_signs.values.size(); ++i) {
                  const double difference = by_adam.values.at(i) - by_signs.values[i];
                  differ += !(difference == 0);  // NaN as well
                  most = std::max(most, std::abs(difference));
                }
                return json{{"differ", differ},
                            {"difference", most},
                            {"parameters", by_signs.values.size()},
                            {"score", by_signs.score}};
              },
          .data = config.data};
}

std::string traffic_of(const Setting& setting) {
  return setting.name + "/traffic";
}

Experiment vote_traffic(const Setting& setting) {
  auto config = setting.config;
  config.steps = 2;
  config.eval_every = 0;
  return {.name = traffic_of(setting),
          .configuration = with_trainer_revision({{"model", config.model},
                                                  {"data", config.data},
                                                  {"workers", config.workers},
                                                  {"topology", config.topology.name()},
                                                  {"steps", config.steps},
                                                  {"revision", 1}}),
          .seconds = 10,
          .measure =
              [=](const Rows&) {
                const auto data = run::load_data(config);
                const auto bytes_of = [&](const char* compressor) {
                  auto of_method = config;
                  of_method.compressor = compressor;
                  run::complete(of_method);
                  const auto result = run::train(of_method, data, {});
                  return result.payload_sent_per_worker / static_cast<double>(result.steps);
                };
                return json{{"none", bytes_of("none")}, {"vote", bytes_of("vote:beta=0.9")}};
              },
          .data = config.data};
}

Setting with_batch(Scale scale, std::int64_t batch) {
  auto setting = varied(lenet(scale), fmt::format("batch-{}", batch));
  setting.config.workers = 1;
  setting.config.topology = run::RunTopology::local;
  setting.config.batch = batch;
  setting.config.steps = scale == Scale::whole ? 400 : 3;
  setting.seconds = 1 + 0.02 * static_cast<double>(batch);
  return setting;
}

Setting with_workers(Scale scale, std::int64_t workers) {
  auto setting = varied(lenet(scale), fmt::format("workers-{}", workers));
  setting.config.workers = workers;
  setting.config.batch = 8;
  setting.config.steps = scale == Scale::whole ? 400 : 3;
  setting.seconds = 1 + 0.2 * static_cast<double>(workers);
  return setting;
}

Setting with_byzantine(const Setting& setting, Scale scale, Byzantine kind, int count) {
  struct Attack {
    const char *name, *spec;
  };
  constexpr Attack kAttacks[] = {
      {"inverted", "sign-flip:"}, {"scaled", "scale:factor=-100,"}, {"random", "random:"}};
  const auto& attack = kAttacks[static_cast<std::size_t>(kind)];
  auto result =
      varied(setting, count == 0 ? fmt::format("none-of-{}", kVotingWorkers)
                                 : fmt::format("{}-{}-of-{}", attack.name, count, kVotingWorkers));
  result.config.workers = kVotingWorkers;
  if (count > 0) result.config.attack = fmt::format("{}workers={}", attack.spec, count);
  result.seconds = setting.seconds / static_cast<double>(setting.config.epochs);
  result.config.epochs = 1;
  result.thrice = {};
  if (scale == Scale::quick) {
    result.config.steps = 3;
    result.config.batch = 8;
  }
  return result;
}

}  // namespace terse::paper
