// What the workers' packets become in an exchange, in one thread and without a network.
#pragma once

#include <span>

#include "tersegrad/optim/compressor.hpp"

namespace terse::run {

// The down packet of this phase: for a linear compressor the sum of the up packets, otherwise what
// `combiner` makes of them. It has the bits of every topology that adds in the order of
// comm/collectives/collectives.hpp, and is not cut into slices or shards. `up` is in the order of
// the workers.
Packet down_packet(Compressor& combiner, const Round& round, std::span<const GradView> shape,
                   std::span<const Packet> up);

}  // namespace terse::run
