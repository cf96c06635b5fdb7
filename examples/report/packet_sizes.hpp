// The sizes of the packets of a run's configuration, from packets of random gradients.
#pragma once

#include <string_view>
#include <vector>

#include "examples/run/config.hpp"
#include "tersegrad/optim/testing/shapes.hpp"

namespace terse::run {

// One phase of the compressor: how its packets are exchanged, and the bytes of their payloads.
struct PhaseBytes {
  std::string_view kind;    // "linear", "sliceable" or "gather"; see comm/topology/topology.hpp
  double up = 0, down = 0;  // of a worker's packet, and of the down packet
};

// Encodes a packet of each phase in step 0, and again in `step` if that is another one; returns the
// sizes of the last one. The workers' packets are made one after the other, so the memory is that of
// two workers and of the packets of all. Throws Error if the packets would take more than 2 GB.
std::vector<PhaseBytes> packet_sizes(const RunConfig& config,
                                     const std::vector<MatrixShape>& shapes, std::uint64_t step);

}  // namespace terse::run
