#include "tersegrad/comm/collectives/partial_sum.hpp"

#include <utility>

namespace terse {

PacketHeader partial_sum_header(const Worker& me, const Label& label, int contributors) {
  return {.compressor = label.compressor,
          .kind = PacketKind::partial,
          .phase = static_cast<std::uint8_t>(label.phase),
          .step = static_cast<std::uint32_t>(label.step),
          .worker = static_cast<std::uint16_t>(me.rank()),
          .contributors = static_cast<std::uint16_t>(contributors),
          .tensors = label.tensors};
}

Expected expected_partial_sum(const Label& label, std::size_t floats) {
  return {.kind = PacketKind::partial,
          .phase = label.phase,
          .step = label.step,
          .payload_bytes = floats * sizeof(float)};
}

std::span<const float> recv_partial_sum(Worker& me, int from, const Label& label,
                                        std::size_t floats, Packet& in) {
  me.recv(from, expected_partial_sum(label, floats), in);
  return std::as_const(in).floats();
}

}  // namespace terse
