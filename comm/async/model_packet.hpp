// A pull: the model on its way from an asynchronous server to a worker.
//
//   payload:  u32 the version's low 32 bits, u32 form, and then
//     dense   x, d floats
//     sparse  u32 k, the k coordinates at which x differs from what the worker has, ascending, and
//             as many new values: if that is shorter
//     leave   nothing: the run is over
//
// The sparse form is the difference that the updates since the last pull have made, said by values:
// adding differences up would round, and the worker's copy must be x to the bit. It pays where few
// coordinates change: pushes of top-k, and an update rule without momentum.
//
// Cost: 32 + 8 + min(4 d, 4 + 8 k) bytes; O(d). Source: Candela et al., arXiv 1910.09466, have
// sparse updates; that pulls are sparse too is how we read them.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/optim/packet.hpp"

namespace terse {

// What the header says: the worker that it is for is known by the connection.
inline PacketHeader model_header(std::uint64_t step) {
  return {.kind = PacketKind::down, .step = static_cast<std::uint32_t>(step)};
}

// `known` is what the worker has, or empty: then the packet is dense.
void write_model(std::uint64_t step, std::uint64_t version, std::span<const float> model,
                 std::span<const float> known, Packet& packet);
void write_leave(std::uint64_t step, Packet& packet);

struct PulledModel {
  bool leave = false;
  std::uint32_t version = 0;
};
// Makes `model` what the packet says. PacketError, and the model may be half of both, if it cannot
// be.
PulledModel read_model(const Packet& packet, std::span<float> model);

}  // namespace terse
