// A compressor whose packets meet by a robust rule instead of a sum.
//
//   worker:    encode as ever, error feedback included
//   exchange:  gather; where packets meet, decode each alone: v_w = what packet w says, or NaN
//              everywhere if it is no packet of the compressor's
//              answer = rule(v_1, …, v_W), d floats
//   worker:    mean = the answer
//
// It is to a topology a compressor that is gathered, so all topologies carry it as they are: the
// owners of `server` combine and send the dense answer down, all workers of `ring` combine, worker
// 0 of `local` does. All give the same bits. What compresses answers, such as doublesqueeze, has
// nothing to compress.
//
// Cost where packets meet: W d floats of memory and the rule's time (aggregation.hpp). Payload: up
// the compressor's, down 4 d bytes.
#pragma once

#include <memory>

#include "tersegrad/comm/topology/aggregation.hpp"
#include "tersegrad/comm/topology/topology.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse {

// The compressor itself for the mean. UsageError, with the reason, for what cannot work.
std::unique_ptr<Compressor> with_aggregation(const Aggregation& aggregation,
                                             const TopologyOptions& topology,
                                             std::unique_ptr<Compressor> compressor);

}  // namespace terse
