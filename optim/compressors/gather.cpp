#include "tersegrad/optim/compressors/gather.hpp"

#include <algorithm>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

constexpr std::size_t kLead = 2;  // words before each packet of an answer: its size and weight

void clear(std::span<const GradView> views) {
  for (const auto& view : views) kernels::clear(view.data);
}

// The next n words of `rest`, which loses them.
std::span<const std::uint32_t> take(std::span<const std::uint32_t>& rest, std::size_t n) {
  check<PacketError>(n <= rest.size(), "packet: it ends {} words early", n - rest.size());
  const auto taken = rest.first(n);
  rest = rest.subspan(n);
  return taken;
}

}  // namespace

std::span<std::uint32_t> GatherCompressor::start(const Round& round,
                                                 std::span<const GradView> grads,
                                                 std::int64_t words, Packet& up) const {
  up.start(header_for(round, number_, PacketKind::up, grads.size()),
           static_cast<std::size_t>(words) * sizeof(std::uint32_t));
  return up.words();
}

void GatherCompressor::combine(const Round& round, std::span<const GradView> shape,
                               std::span<const Packet> up, std::span<const float> weights,
                               Packet& down) {
  constexpr std::size_t kMost = 65535;  // what a header's weight can say
  check<PacketError>(!up.empty() && up.size() <= kMost, "{}: 1 to {} packets; got {}", spec(),
                     kMost, up.size());
  std::size_t words = 0;
  for (const auto& packet : up) {
    packet.expect(number_, round.phase, shape.size());
    words += kLead + packet.words().size();
  }
  auto header = header_for(round, number_, PacketKind::down, shape.size());
  header.weight = static_cast<std::uint16_t>(up.size());
  const auto d = static_cast<std::size_t>(count(shape));
  const bool dense = words >= d;
  down.start(header, (1 + (dense ? d : words)) * sizeof(std::uint32_t));
  auto rest = down.words();
  rest.front() = dense ? 0 : static_cast<std::uint32_t>(up.size());
  rest = rest.subspan(1);

  if (!dense) {
    for (std::size_t w = 0; w < up.size(); ++w) {
      const auto payload = up[w].words();
      rest[0] = static_cast<std::uint32_t>(payload.size());
      as_floats(rest)[1] = weights[w];
      std::ranges::copy(payload, rest.begin() + kLead);
      rest = rest.subspan(kLead + payload.size());
    }
    return;
  }
  auto mean = as_floats(rest);
  std::vector<GradView> views;
  for (const auto& view : shape) {
    views.push_back(view.with(mean.first(view.data.size())));
    mean = mean.subspan(view.data.size());
  }
  clear(views);
  for (std::size_t w = 0; w < up.size(); ++w) add(round, up[w].words(), weights[w], views);
}

GatherCompressor::Answer GatherCompressor::answer(const Round& round, const Packet& down,
                                                  std::span<const GradView> shape) const {
  down.expect(number_, round.phase, shape.size());
  Answer answer;
  auto rest = down.words();
  const auto packets = take(rest, 1).front();
  if (packets == 0) {
    const auto d = static_cast<std::size_t>(count(shape));
    check<PacketError>(rest.size() == d, "packet: a mean of {} values; {} are wanted", rest.size(),
                       d);
    answer.mean = as_floats(rest);
    return answer;
  }
  for (std::uint32_t p = 0; p < packets; ++p) {
    const auto lead = take(rest, kLead);
    answer.packets.push_back({.payload = take(rest, lead[0]), .weight = as_floats(lead)[1]});
  }
  check<PacketError>(rest.empty(), "packet: {} words after the last of {} packets", rest.size(),
                     packets);
  return answer;
}

const GradientSource& GatherCompressor::decode(const Round& round, const Packet& down,
                                               std::span<const GradView> scratch) {
  const auto [mean, packets] = answer(round, down, scratch);
  if (!packets.empty()) return sum(round, packets, scratch);
  return means_.at(round.first) = GradientInMemory(mean);
}

const GradientSource& GatherCompressor::sum(const Round& round, std::span<const Weighted> packets,
                                            std::span<const GradView> scratch) {
  clear(scratch);
  for (const auto& packet : packets) add(round, packet.payload, packet.weight, scratch);
  return written(round, scratch);
}

void GatherCompressor::said(const Round& round, const Packet& own,
                            std::span<const GradView> out) const {
  own.expect(number_, round.phase, out.size());
  clear(out);
  add(round, own.words(), 1, out);
}

}  // namespace terse
