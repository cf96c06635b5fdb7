// A compressor's state, from outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "optim/compressor.hpp"

namespace terse {

std::vector<std::byte> saved_state(Compressor& compressor);
std::uint64_t state_hash(Compressor& compressor);

// The residuals of its error feedback, in the order of the tensors' ids.
std::vector<float> residual_of(Compressor& compressor);

}  // namespace terse
