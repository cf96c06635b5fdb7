#include "examples/paper/megabytes_experiments.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace terse::paper {
namespace {

using nlohmann::json;

// A factor of two apart, with the method's rate in the middle. A run of a few steps and one of
// hundreds have different best rates, so there are more candidates than elsewhere.
std::vector<double> rates_of_budget(const Method& method) {
  return {method.rate / 4, method.rate / 2, method.rate, 2 * method.rate, 4 * method.rate};
}

// The payload of a worker's packet, from one step of training.
double payload_of_message(Setting setting, const Method& method) {
  setting.config.steps = 1;
  return run_once(setting, method, method.rate, 1)["message_bytes"];
}

// {steps, rate, scores} of runs with so many steps, rounded down.
json bought_with_steps(Setting setting, const Method& method, double steps) {
  setting.config.steps = static_cast<std::int64_t>(steps);
  const double rate = validated(setting, method, rates_of_budget(method))["best"];
  json scores = json::array();
  for (std::int64_t seed = 1; seed <= setting.seeds; ++seed) {
    scores.push_back(run_once(setting, method, rate, static_cast<std::uint64_t>(seed))["score"]);
  }
  return {{"steps", setting.config.steps}, {"rate", rate}, {"scores", scores}};
}

Setting setting_of_budgets(Scale scale, std::int64_t batch) {
  auto setting = perceptron(scale);
  setting.config.batch = batch;
  setting.config.eval_every = 0;
  return setting;
}

// `data` names the data in the configuration, wherever its files are.
Experiment bought(std::string name, const Setting& setting, const std::string& data,
                  const std::vector<Method>& methods, Scale scale) {
  const auto megabytes =
      scale == Scale::whole ? std::vector<double>{0.5, 1, 2, 4} : std::vector<double>{2};
  json configuration = with_trainer_revision({{"model", setting.config.model},
                                              {"data", data},
                                              {"batch", setting.config.batch},
                                              {"megabytes", megabytes},
                                              {"seeds", setting.seeds},
                                              {"revision", 1}});
  for (const auto& method : methods) {
    configuration["methods"].push_back({{"compressor", method.compressor},
                                        {"optimizer", method.optimizer},
                                        {"rates", rates_of_budget(method)},
                                        {"revision", method.revision}});
  }
  return {
      .name = std::move(name),
      .configuration = std::move(configuration),
      .seconds = 5 + 0.1 * static_cast<double>(setting.config.batch),
      .measure =
          [=](const Rows&) {
            json trained = json::array();
            for (const auto& method : methods) {
              const double bytes = payload_of_message(setting, method);
              json budgets = json::array();
              for (const double budget : megabytes) {
                budgets.push_back(bought_with_steps(setting, method, 1e6 * budget / bytes));
              }
              trained.push_back({{"name", method.name}, {"bytes", bytes}, {"budgets", budgets}});
            }
            return json{{"megabytes", megabytes}, {"methods", trained}};
          },
      .data = setting.config.data};
}

}  // namespace

Experiment bought_by_megabytes(Scale scale, std::int64_t batch,
                               const std::vector<Method>& methods) {
  const auto setting = setting_of_budgets(scale, batch);
  return bought(megabytes_of(batch), setting, setting.config.data, methods, scale);
}

Experiment bought_on_mnist(Scale scale, std::int64_t batch, const std::vector<Method>& methods,
                           const std::string& folder) {
  auto setting = setting_of_budgets(scale, batch);
  const auto sizes = setting.config.data.substr(setting.config.data.find(':') + 1);
  setting.config.data = folder.empty() ? "" : fmt::format("mnist:path={},{}", folder, sizes);
  auto experiment = bought(kMegabytesOnMnist, setting, "mnist:" + sizes, methods, scale);
  experiment.measurable = !folder.empty();
  return experiment;
}

}  // namespace terse::paper
