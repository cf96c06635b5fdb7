#include "examples/paper/noise_experiments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "examples/paper/shape_tests.hpp"
#include "examples/run/task.hpp"
#include "examples/run/training.hpp"
#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/inspect/gradient_statistics.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

constexpr std::size_t kCoordinates = 200;

// The gradients of one pass over the training set, at given parameters.
class GradientPass {
 public:
  GradientPass(const run::RunConfig& config, const run::Dataset& data)
      : seed_(config.seed),
        task_(run::make_task(config, data, 0, 1)),
        parameters_(nn::parameters(task_->model())) {
    Philox draws(seed_, {.purpose = Purpose::probe});
    std::set<std::size_t> drawn;
    const auto n = static_cast<std::uint64_t>(parameters_.numel());
    while (drawn.size() < std::min<std::size_t>(kCoordinates, n)) drawn.insert(draws.below(n));
    coordinates_.assign(drawn.begin(), drawn.end());
  }

  ParameterBuffer& parameters() { return parameters_; }

  json measure(double epoch) {
    GradientStatistics statistics({{.name = "model", .size = parameters_.numel()}}, seed_);
    std::vector<std::vector<double>> samples(coordinates_.size());
    for (std::int64_t batch = 0; batch < task_->steps_per_epoch(); ++batch) {
      task_->load();
      parameters_.zero_grad();
      task_->loss().backward();
      const auto gradient = parameters_.gradients();
      statistics.add(gradient);
      for (std::size_t i = 0; i < coordinates_.size(); ++i) {
        samples[i].push_back(static_cast<double>(gradient[coordinates_[i]]));
      }
    }
    const auto model = statistics.report().front();
    json result = shape_of(samples);
    result.update({{"epoch", epoch},
                   {"density_mean", model.density_mean.value_or(0)},
                   {"density_noise", model.density_noise.value_or(0)},
                   {"snr_mean", model.snr_mean},
                   {"snr_below", model.snr_below}});
    return result;
  }

 private:
  json shape_of(const std::vector<std::vector<double>>& samples) {
    if (critical_ == 0) critical_ = critical_dip(samples.front().size(), seed_);
    double count = 0, right = 0, asymmetric = 0, several_modes = 0, skew = 0;
    for (const auto& of_one : samples) {
      const auto [least, most] = std::ranges::minmax(of_one);
std::vector<double> epoch_means(const json& row, const char* key) {
  std::vector<double> means;
  for (std::size_t k = 0; k < row["seeds"][0]["epochs"].size(); ++k) {
    means.push_back(interval_of(by_seed(row, [&](const json& seed) {
                      return seed["epochs"][k][key].get<double>();
                    })).mean);
  }
  return means;
}

      if (least == most) continue;
      ++count;
      double mean = 0, balance = 0;
      for (const double g : of_one) mean += g / static_cast<double>(of_one.size());
      for (const double g : of_one) balance += g * mean > 0 ? 1 : g * mean < 0 ? -1 : 0;
      const double statistic = asymmetry(of_one);
      right += balance > 0;
      asymmetric += rejects_symmetry(statistic);
      several_modes += dip(of_one) > critical_;
      skew += std::abs(statistic) / std::sqrt(static_cast<double>(of_one.size()));
    }
    return {{"coordinates", count},
            {"right", right / count},
            {"asymmetric", asymmetric / count},
            {"several_modes", several_modes / count},
            {"skew", skew / count}};
  }

  std::uint64_t seed_;
  std::unique_ptr<run::Task> task_;
  ParameterBuffer parameters_;
  std::vector<std::size_t> coordinates_;
  double critical_ = 0;  // of the dip, for so many samples
};

json noise_while_training(run::RunConfig config) {
  run::complete(config);
  const auto data = run::load_data(config);
  GradientPass pass(config, data);
  json epochs = json::array({pass.measure(0)});  // both begin with the same weights
  std::size_t at = 0;
  run::Listener listener;
  listener.on_weights = [&](std::int64_t, const std::string&, std::span<const float> values) {
    std::ranges::copy(values, pass.parameters().values().begin() + static_cast<std::ptrdiff_t>(at));
    at += values.size();
    if (at < pass.parameters().values().size()) return;
    at = 0;
    epochs.push_back(pass.measure(static_cast<double>(epochs.size())));
  };
  run::train(config, data, listener);
  return {{"epochs", epochs}};
}

}  // namespace

std::string noise_of(const Setting& setting) {
  return setting.name + "/noise";
}

Experiment gradient_noise(const Setting& setting, const Method& method) {
  auto config = setting.config;
  config.workers = 1;
  config.topology = run::RunTopology::local;
  config.batch = 128;
  config.compressor = method.compressor;
  config.optimizer = method.optimizer;
  config.lr = method.rate;
  config.eval_every = 1;
  const auto seeds = setting.seeds;
  json configuration = {{"model", config.model}, {"data", config.data}, {"epochs", config.epochs},
                        {"steps", config.steps}, {"seeds", seeds},      {"revision", 1}};
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
                  all.push_back(noise_while_training(of_seed));
                }
                return json{{"seeds", all}};
              },
          .data = setting.config.data};
}

}  // namespace terse::paper
