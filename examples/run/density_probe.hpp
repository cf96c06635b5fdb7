// Measures how dense and how noisy the gradient is while a run trains, without touching the run.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "examples/run/task.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/inspect/gradient_statistics.hpp"

namespace terse::run {

// At the start of an epoch; the whole model, and then each tensor.
struct DensityReport {
  std::int64_t step = 0, batches = 0;
  double epoch = 0;
  std::vector<GradientReport> parts;
};
nlohmann::json to_json(const DensityReport& report);

// It has a model, a place in the data and dropout of its own: measuring changes no bit of the run.
class DensityProbe {
 public:
  // One pass goes over this worker's share of the training set.
  DensityProbe(const RunConfig& config, const Dataset& data, int rank, int workers);

  // At these parameters and running statistics, which stand still.
  DensityReport measure(const ParameterBuffer& parameters,
                        std::span<const ParameterBuffer::Named> buffers);

 private:
  std::uint64_t seed_;
  std::unique_ptr<Task> task_;
  ParameterBuffer parameters_;
  std::vector<ParameterBuffer::Named> buffers_;
};

}  // namespace terse::run
