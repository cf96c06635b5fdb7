#include "examples/run/density_probe.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tersegrad/core/autograd.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {

DensityProbe::DensityProbe(const RunConfig& config, const Dataset& data, int rank, int workers)
    : seed_(config.seed),
      task_(make_task(config, data, rank, workers)),
      parameters_(nn::parameters(task_->model())),
      buffers_(nn::buffers(task_->model())) {
  check<UsageError>(task_->steps_per_epoch() >= 2,
                    "--measure density: expected at least two batches per epoch; got {}; use a "
                    "smaller --batch",
                    task_->steps_per_epoch());
}

DensityReport DensityProbe::measure(const ParameterBuffer& parameters,
                                    std::span<const ParameterBuffer::Named> buffers) {
  std::ranges::copy(parameters.values(), parameters_.values().begin());
  std::vector<GradientStatistics::Part> parts;
  for (const auto& info : parameters.infos()) parts.push_back({info.name, info.numel});
  GradientStatistics statistics(std::move(parts), seed_);
  for (std::int64_t batch = 0; batch < task_->steps_per_epoch(); ++batch) {
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      std::ranges::copy(buffers[i].tensor.data(), buffers_[i].tensor.data_mut().begin());
    }
    task_->load();
    parameters_.zero_grad();
    task_->loss().backward();
    statistics.add(parameters_.gradients());
  }
  return {.batches = statistics.samples(), .parts = statistics.report()};
}

nlohmann::json to_json(const DensityReport& report) {
  const auto number = [](const std::optional<double>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
  };
  nlohmann::json parts = nlohmann::json::array();
  for (const auto& r : report.parts) {
    parts.push_back({{"tensor", r.name.empty() ? nlohmann::json(nullptr) : nlohmann::json(r.name)},
                     {"size", r.size},
                     {"density_mean", number(r.density_mean)},
                     {"density_noise", number(r.density_noise)},
                     {"variance", r.variance},
                     {"snr_mean", r.snr_mean},
                     {"snr_max", r.snr_max},
                     {"snr_below_critical", r.snr_below},
                     {"below_mean", r.below_mean},
                     {"skewness", r.skewness}});
  }
  return {{"step", report.step},
          {"epoch", report.epoch},
          {"batches", report.batches},
          {"density", parts}};
}

}  // namespace terse::run
