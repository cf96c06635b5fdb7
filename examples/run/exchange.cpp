#include "examples/run/exchange.hpp"

#include <vector>

#include "tersegrad/comm/collectives/collectives.hpp"

namespace terse::run {
namespace {

Packet sum_of(std::span<const Packet> up) {
  std::vector<std::span<const float>> parts;
  for (const auto& packet : up) parts.push_back(packet.floats());
  auto header = up.front().header();
  header.kind = PacketKind::partial;
  header.contributors = static_cast<std::uint16_t>(up.size());
  Packet sum(header, up.front().payload().size());
  sum_in_ring_order(parts, 0, parts.front().size(), sum.floats());
  return sum;
}

}  // namespace

Packet down_packet(Compressor& combiner, const Round& round, std::span<const GradView> shape,
                   std::span<const Packet> up) {
  const auto traits = combiner.traits(round.step);
  if (traits.linear) return sum_of(up);
  const std::vector<float> weights(up.size(), 1.0F / static_cast<float>(up.size()));
  Packet down;
  combiner.combine(round, traits.sliceable ? std::span<const GradView>() : shape, up, weights,
                   down);
  return down;
}

}  // namespace terse::run
