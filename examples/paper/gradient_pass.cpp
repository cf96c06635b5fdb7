#include "examples/paper/gradient_pass.hpp"

#include <algorithm>
#include <cstddef>
#include <set>

#include "examples/run/training.hpp"
#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/nn/module.hpp"

namespace terse::paper {

GradientPass::GradientPass(const run::RunConfig& config, const run::Dataset& data)
    : task_(run::make_task(config, data, 0, 1)), parameters_(nn::parameters(task_->model())) {
  constexpr std::size_t kCoordinates = 200;
  Philox draws(config.seed, {.purpose = Purpose::probe});
  std::set<std::size_t> drawn;
  const auto n = static_cast<std::uint64_t>(parameters_.numel());
  while (drawn.size() < std::min<std::size_t>(kCoordinates, n)) drawn.insert(draws.below(n));
  coordinates_.assign(drawn.begin(), drawn.end());
}

GradientPass::Samples GradientPass::sample(const std::function<void(std::span<const float>)>& see) {
  Samples samples(coordinates_.size());
  for (std::int64_t batch = 0; batch < task_->steps_per_epoch(); ++batch) {
    task_->load();
    parameters_.zero_grad();
    task_->loss().backward();
    const auto gradient = parameters_.gradients();
    if (see) see(gradient);
    for (std::size_t i = 0; i < coordinates_.size(); ++i) {
      samples[i].push_back(static_cast<double>(gradient[coordinates_[i]]));
    }
  }
  return samples;
}

run::RunConfig one_worker_config(const Setting& setting, const Method& method) {
  auto config = setting.config;
  config.workers = 1;
  config.topology = run::RunTopology::local;
  config.batch = 128;
  config.compressor = method.compressor;
  config.optimizer = method.optimizer;
  config.lr = method.rate;
  config.eval_every = 1;
  return config;
}

nlohmann::json while_training(
    run::RunConfig config, const std::vector<std::string>& partitions,
    const std::function<nlohmann::json(const GradientPasses& passes, double epoch)>& describe) {
  run::complete(config);
  const auto data = run::load_data(config);
  GradientPasses passes;
  for (const auto& partition : partitions) {
    auto of_pass = config;
    of_pass.partition = partition;
    passes.push_back(std::make_unique<GradientPass>(of_pass, data));
  }
  auto epochs = nlohmann::json::array({describe(passes, 0)});  // all begin with the same weights
  std::size_t at = 0;
  run::Listener listener;
  listener.on_weights = [&](std::int64_t, const std::string&, std::span<const float> values) {
    for (const auto& pass : passes) {
      std::ranges::copy(values,
                        pass->parameters().values().begin() + static_cast<std::ptrdiff_t>(at));
    }
    at += values.size();
    if (at < passes.front()->parameters().values().size()) return;
    at = 0;
    epochs.push_back(describe(passes, static_cast<double>(epochs.size())));
  };
  run::train(config, data, listener);
  return epochs;
}

}  // namespace terse::paper
