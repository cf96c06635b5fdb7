#include "tersegrad/comm/setup/model_setup.hpp"

namespace terse {

std::vector<GradView> grad_views(const ParameterBuffer& parameters, std::span<float> flat) {
  std::vector<GradView> views;
  for (const auto& info : parameters.infos()) {
    views.push_back({.id = info.id,
                     .rows = info.rows,
                     .cols = info.cols,
                     .kernel = info.kernel,
                     .data = flat.subspan(static_cast<std::size_t>(info.offset),
                                          static_cast<std::size_t>(info.numel))});
  }
  return views;
}

RuleSetup rule_setup(const ParameterBuffer& parameters, std::uint64_t seed) {
  RuleSetup setup;
  setup.seed = seed;
  for (const auto& info : parameters.infos()) {
    setup.tensors.push_back(info.numel);
    setup.matrices.push_back(info.shape.rank() >= 2);
  }
  return setup;
}

}  // namespace terse
