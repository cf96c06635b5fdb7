// A decorator that combines packets by a robust aggregation rule instead of a mean.
//
//   worker:    encode as without it, error feedback included
//   exchange:  gather; a worker that combines decodes each packet alone:
//                v_w = the reconstruction of packet w, or NaN everywhere if it cannot be decoded
//                down packet = rule(v_1, …, v_W), d floats
//   worker:    mean = the down packet
//
// For a topology this compressor is neither linear nor sliceable, so its packets are gathered. All
// topologies thus work with it: the owners of `server` combine and send the dense down packet, all
// workers of `ring` combine, worker 0 of `local` combines. All give the same bits. A compressor
// that compresses the down packet, such as doublesqueeze, has no effect on it here.
//
// Cost of combining: W d floats of memory and the time of the rule (aggregation.hpp). Payload: up
// that of the compressor, down 4 d bytes.
#pragma once

#include <memory>

#include "tersegrad/comm/topology/aggregation.hpp"
#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

// Returns the compressor itself for the rule `mean`. Throws UsageError, with the reason, if the
// rule cannot be used with the number of workers, the topology or the compressor.
std::unique_ptr<Compressor> with_aggregation(const Aggregation& aggregation,
                                             const TopologyOptions& topology,
                                             std::unique_ptr<Compressor> compressor);

}  // namespace terse
