// A pull: the packet that takes the model from an asynchronous server to a worker.
//
//   payload:  u32 low 32 bits of the version, u32 form, and by form
//     dense   x, d floats
//     sparse  u32 k; the k coordinates at which x differs from the worker's model, ascending; and
//             the k new values. Used if it is shorter than dense.
//     leave   nothing: the run is over
//
// The sparse form is the difference that the updates since the worker's last pull have made. It has
// new values instead of differences, because adding differences would round, and the worker's copy
// must equal x bit for bit. It is smaller if few coordinates change: with top-k pushes and an
// update rule without momentum.
//
// Cost: 32 + 8 + min(4 d, 4 + 8 k) bytes; O(d) time. Source: Candela et al., arXiv 1910.09466, for
// sparse updates; their use for pulls is our interpretation.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/optim/packet.hpp"

namespace terse {

// The header of a pull. It does not name the receiver, which the connection identifies.
inline PacketHeader model_header(std::uint64_t step) {
  return {.kind = PacketKind::down, .step = static_cast<std::uint32_t>(step)};
}

// `known` is the model that the worker has. If it is empty, the packet is dense.
void write_model(std::uint64_t step, std::uint64_t version, std::span<const float> model,
                 std::span<const float> known, Packet& packet);
void write_leave(std::uint64_t step, Packet& packet);

struct PulledModel {
  bool leave = false;
  std::uint32_t version = 0;
};
// Applies the packet to `model`. Throws PacketError if the packet is invalid; `model` may then be
// partly updated.
PulledModel read_model(const Packet& packet, std::span<float> model);

}  // namespace terse
