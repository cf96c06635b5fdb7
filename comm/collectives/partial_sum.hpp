// Messages that hold a partial sum: a contiguous range of the values, added up over some workers,
// the contributors.
#pragma once

#include <cstddef>
#include <span>

#include "tersegrad/comm/collectives/collectives.hpp"

namespace terse {

PacketHeader partial_sum_header(const Worker& me, const Label& label, int contributors);

// What a worker expects to receive, or a peer to expose.
Expected expected_partial_sum(const Label& label, std::size_t floats);

// Receives a partial sum of that many floats in `in` and returns its values. Throws PacketError,
// WorkerLost, Timeout or CalledOff, as Worker::recv.
std::span<const float> recv_partial_sum(Worker& me, int from, const Label& label,
                                        std::size_t floats, Packet& in);

}  // namespace terse
