#include "examples/paper/noise_experiments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "examples/paper/gradient_pass.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/shape_tests.hpp"
#include "tersegrad/inspect/gradient_statistics.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

// Of the coordinates whose gradients differ; `critical` is the dip that the test at 5 % allows.
json shape_of(const GradientPass::Samples& samples, double critical) {
  double count = 0, right = 0, asymmetric = 0, several_modes = 0, skew = 0;
  for (const auto& of_one : samples) {
    const auto [least, most] = std::ranges::minmax(of_one);
    if (least == most) continue;
    ++count;
    double mean = 0, balance = 0;
    for (const double g : of_one) mean += g / static_cast<double>(of_one.size());
    for (const double g : of_one) balance += g * mean > 0 ? 1 : g * mean < 0 ? -1 : 0;
    const double statistic = asymmetry(of_one);
    right += balance > 0;
    asymmetric += rejects_symmetry(statistic);
    several_modes += dip(of_one) > critical;
    skew += std::abs(statistic) / std::sqrt(static_cast<double>(of_one.size()));
  }
  return {{"coordinates", count},
          {"right", right / count},
          {"asymmetric", asymmetric / count},
          {"several_modes", several_modes / count},
          {"skew", skew / count}};
}

json noise_while_training(const run::RunConfig& config) {
  double critical = 0;
  return while_training(
      config, {config.partition}, [&](const GradientPasses& passes, double epoch) {
        auto& pass = *passes.front();
        GradientStatistics statistics({{.name = "model", .size = pass.parameters().numel()}},
                                      config.seed);
        const auto samples =
            pass.sample([&](std::span<const float> gradient) { statistics.add(gradient); });
        if (critical == 0) critical = critical_dip(samples.front().size(), config.seed);
        const auto model = statistics.report().front();
        json result = shape_of(samples, critical);
        result.update({{"epoch", epoch},
                       {"density_mean", model.density_mean.value_or(0)},
                       {"density_noise", model.density_noise.value_or(0)},
                       {"snr_mean", model.snr_mean},
                       {"snr_below", model.snr_below}});
        return result;
      });
}

}  // namespace

std::string noise_of(const Setting& setting) {
  return setting.name + "/noise";
}

std::vector<double> epoch_means(const json& row, const char* key) {
  std::vector<double> means;
  for (std::size_t k = 0; k < row.at("seeds").at(0).at("epochs").size(); ++k) {
    means.push_back(interval_of(by_seed(row, [&](const json& seed) {
                      return seed.at("epochs").at(k).at(key).get<double>();
                    })).mean);
  }
  return means;
}

Experiment gradient_noise(const Setting& setting, const Method& method) {
  const auto config = one_worker_config(setting, method);
  const auto seeds = setting.seeds;
  json configuration = with_trainer_revision({{"model", config.model},
                                              {"data", config.data},
                                              {"epochs", config.epochs},
                                              {"steps", config.steps},
                                              {"seeds", seeds},
                                              {"revision", 1}});
  if (config.partition != "iid") configuration["partition"] = config.partition;
  if (method.name != kSgd.name) {
    configuration.update(
        {{"compressor", method.compressor}, {"optimizer", method.optimizer}, {"lr", method.rate}});
  }
  return {.name = noise_of(setting),
          .configuration = std::move(configuration),
          .seconds = 3 * setting.seconds * static_cast<double>(seeds),
          .measure =
              [=](const Rows&) {
                json all = json::array();
                for (std::int64_t seed = 1; seed <= seeds; ++seed) {
                  auto of_seed = config;
                  of_seed.seed = static_cast<std::uint64_t>(seed);
                  all.push_back({{"epochs", noise_while_training(of_seed)}});
                }
                return json{{"seeds", all}};
              },
          .data = setting.config.data};
}

}  // namespace terse::paper
