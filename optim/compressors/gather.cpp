#include "tersegrad/optim/compressors/gather.hpp"

#include <algorithm>

#include "tersegrad/core/error.hpp"
#include "tersegrad/optim/compressors/payload.hpp"
#include "tersegrad/optim/kernels/vector.hpp"

namespace terse {
namespace {

constexpr std::size_t kLead = 2;  // words before each packet in a down packet: its size, its weight

void clear(std::span<const GradView> views) {
  for (const auto& view : views) kernels::clear(view.data);
}

}  // namespace

std::span<std::uint32_t> GatherCompressor::start(const Round& round,
                                                 std::span<const GradView> grads,
                                                 std::int64_t words, Packet& up) const {
  return start_packet(round, number_, grads.size(), words, up).rest();
}

void GatherCompressor::combine(const Round& round, std::span<const GradView> shape,
                               std::span<const Packet> up, std::span<const float> weights,
                               Packet& down) {
  constexpr std::size_t kMost = 65535;  // the most contributors that a header can hold
  check<PacketError>(!up.empty() && up.size() <= kMost, "{}: expected 1 to {} packets; got {}",
                     spec(), kMost, up.size());
  std::size_t words = 0;
  for (const auto& packet : up) {
    packet.expect(number_, round.phase, shape.size());
    words += kLead + packet.words().size();
  }
  auto header = header_for(round, number_, PacketKind::down, shape.size());
  header.contributors = static_cast<std::uint16_t>(up.size());
  const auto d = static_cast<std::size_t>(count(shape));
  const bool dense = words >= d;
  down.start(header, (1 + (dense ? d : words)) * sizeof(std::uint32_t));
  PayloadWriter out(down.words());
  out.next_words(1)[0] = dense ? 0 : static_cast<std::uint32_t>(up.size());

  if (!dense) {
    for (std::size_t w = 0; w < up.size(); ++w) {
      const auto payload = up[w].words();
      out.next_words(1)[0] = static_cast<std::uint32_t>(payload.size());
      out.next_floats(1)[0] = weights[w];
      std::ranges::copy(payload, out.next_words(payload.size()).begin());
    }
    return;
  }
  std::vector<GradView> mean;
  lay_out(shape, as_floats(out.rest()), mean);
  clear(mean);
  for (std::size_t w = 0; w < up.size(); ++w) add(round, up[w].words(), weights[w], mean);
}

GatherCompressor::Contents GatherCompressor::contents(const Round& round, const Packet& down,
                                                      std::span<const GradView> shape) const {
  down.expect(number_, round.phase, shape.size());
  Contents contents;
  PayloadReader in(down.words());
  const auto packets = in.next_word();
  if (packets == 0) contents.mean = in.next_floats(static_cast<std::size_t>(count(shape)));
  for (std::uint32_t p = 0; p < packets; ++p) {
    const auto words = in.next_word();
    const auto weight = in.next_floats(1)[0];
    contents.packets.push_back({.payload = in.next_words(words), .weight = weight});
  }
  in.expect_end();
  return contents;
}

const GradientSource& GatherCompressor::decode(const Round& round, const Packet& down,
                                               std::span<const GradView> scratch) {
  const auto [mean, packets] = contents(round, down, scratch);
  if (!packets.empty()) return sum(round, packets, scratch);
  return means_.at(round.first) = GradientInMemory(mean);
}

const GradientSource& GatherCompressor::sum(const Round& round, std::span<const Weighted> packets,
                                            std::span<const GradView> scratch) {
  clear(scratch);
  for (const auto& packet : packets) add(round, packet.payload, packet.weight, scratch);
  return written(round, scratch);
}

void GatherCompressor::reconstruct(const Round& round, const Packet& own,
                                   std::span<const GradView> out) const {
  own.expect(number_, round.phase, out.size());
  clear(out);
  add(round, own.words(), 1, out);
}

}  // namespace terse
