// Access to the state of a compressor or a rule through `serialize`, for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/optimizer.hpp"

namespace terse {

std::vector<std::byte> saved_state(Compressor& compressor);
std::uint64_t state_hash(Compressor& compressor);

// The state arrays with this name, concatenated in the order of the tensors' ids.
std::vector<float> state_of(Compressor& compressor, std::string_view name);
std::vector<float> state_of(UpdateRule& rule, std::string_view name);
// The residuals of error feedback, concatenated in the same order.
std::vector<float> residual_of(Compressor& compressor);

}  // namespace terse
