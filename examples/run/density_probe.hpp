// Measures the density and the noise of the gradient while a run trains. The run is not changed.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <vector>

#include "examples/run/task.hpp"
#include "tersegrad/core/parameters.hpp"
#include "tersegrad/inspect/gradient_statistics.hpp"

namespace terse::run {

// A measurement at the start of an epoch: of the whole model, then of each tensor.
struct DensityReport {
  std::int64_t step = 0, batches = 0;
  double epoch = 0;
  std::vector<GradientReport> parts;
};
nlohmann::json to_json(const DensityReport& report);

// The probe has a model, a place in the data and dropout of its own, so it changes no bit of the
// run.
class DensityProbe {
 public:
  // A measurement passes once over this worker's share of the training set.
  DensityProbe(const RunConfig& config, const Dataset& data, int rank, int workers);

  // The gradients at these parameters and running statistics.
  DensityReport measure(const ParameterBuffer& parameters,
                        std::span<const ParameterBuffer::Named> buffers);

  void serialize(Archive& archive) { task_->serialize(archive); }

 private:
  std::uint64_t seed_;
  std::unique_ptr<Task> task_;
  ParameterBuffer parameters_;
  std::vector<ParameterBuffer::Named> buffers_;
};

}  // namespace terse::run
