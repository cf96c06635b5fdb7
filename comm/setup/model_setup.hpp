// A model's parameters in the form that compressors and update rules take.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/core/parameters.hpp"
#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse {

// One view per parameter, in the order of the model, into `flat`, which holds parameters.numel()
// values.
std::vector<GradView> grad_views(const ParameterBuffer& parameters, std::span<float> flat);

// The setup of an update rule for these parameters: their sizes, whether each has at least two
// dimensions, and the seed of the rule's random draws.
RuleSetup rule_setup(const ParameterBuffer& parameters, std::uint64_t seed);

}  // namespace terse
