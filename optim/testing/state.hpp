// A compressor's state, from outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

std::vector<std::byte> saved_state(Compressor& compressor);
std::uint64_t state_hash(Compressor& compressor);

// The arrays that a compressor keeps by this name, in the order of the tensors' ids.
std::vector<float> state_of(Compressor& compressor, std::string_view name);
// The residuals of its error feedback.
std::vector<float> residual_of(Compressor& compressor);

}  // namespace terse
