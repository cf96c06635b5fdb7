// The gradients of a network at constant parameters, one of each batch, while the network trains.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "examples/paper/training_experiments.hpp"
#include "examples/run/task.hpp"
#include "tersegrad/core/parameters.hpp"

namespace terse::paper {

// Passes over the training set at parameters of its own.
class GradientPass {
 public:
  GradientPass(const run::RunConfig& config, const run::Dataset& data);

  ParameterBuffer& parameters() { return parameters_; }

  // The gradients of one pass, samples[coordinate][batch], of 200 coordinates or of all if there are
  // fewer. The coordinates depend on the model's size and the seed alone. `see` is called with every
  // gradient of the whole model.
  using Samples = std::vector<std::vector<double>>;
  Samples sample(const std::function<void(std::span<const float>)>& see = {});

 private:
  std::unique_ptr<run::Task> task_;
  ParameterBuffer parameters_;
  std::vector<std::size_t> coordinates_;
};

// One worker trains by the method, at its rate, with batches of 128.
run::RunConfig one_worker_config(const Setting& setting, const Method& method);

// Trains with `config`. At the start and after every epoch, `describe` is called with passes at the
// parameters of the network, one for each partition of the training set, and the epoch's number.
// Returns what it has returned, in an array.
using GradientPasses = std::vector<std::unique_ptr<GradientPass>>;
nlohmann::json while_training(
    run::RunConfig config, const std::vector<std::string>& partitions,
    const std::function<nlohmann::json(const GradientPasses& passes, double epoch)>& describe);

}  // namespace terse::paper
