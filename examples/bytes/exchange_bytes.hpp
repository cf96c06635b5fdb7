// Exchanges of random gradients among the workers of a configuration, with the bytes counted.
#pragma once

#include <cstdint>
#include <vector>

#include "examples/run/config.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::run {

// Means over the steps.
struct ExchangeBytes {
  double message_bytes = 0;          // payload of one worker's packets
  double bytes_sent_per_worker = 0;  // headers and forwarding included; mean over workers
};

// The gradients are normal, and different on every worker and in every step; config names workers,
// topology, servers, compressor and seed.
ExchangeBytes exchange(const RunConfig& config, const std::vector<MatrixShape>& shapes,
                       std::int64_t steps);

}  // namespace terse::run
