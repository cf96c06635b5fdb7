// How a model's parameters look to compressors and update rules.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/core/parameters.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse {

// One view per parameter into `flat`, which holds parameters.numel() values, in the order of the
// model.
std::vector<GradView> grad_views(const ParameterBuffer& parameters, std::span<float> flat);

// What an update rule gets to know about the parameters: their sizes, which of them are matrices,
// and the seed of its random draws.
RuleSetup rule_setup(const ParameterBuffer& parameters, std::uint64_t seed);

}  // namespace terse
