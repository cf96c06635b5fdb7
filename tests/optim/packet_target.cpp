#include "packet_target.hpp"

#include <cstring>

#include "tersegrad/core/error.hpp"

namespace terse {
namespace {

constexpr int kWorkers = 4;

std::vector<MatrixShape> shapes() {
  return {{"", 3, 5}, {"", 33, 1}, {"", 0, 1}, {"", 4, 4}, {"", 7, 1}, {"", 1, 1}};
}

ByteVector bytes_of(Packet packet) {
  packet.seal();
  return {packet.bytes().begin(), packet.bytes().end()};
}

}  // namespace

PacketTarget::PacketTarget(const std::string& spec)
    : exchange_([&] { return make_compressor(spec); }, kWorkers),
      out_(zero_gradients(shapes())),
      views_(views_of(out_)) {
  std::vector<OwnedGradients> gradients;
  for (std::uint32_t w = 0; w < kWorkers; ++w) gradients.push_back(normal_gradients(shapes(), w));
  exchange_.mean(gradients);
  for (int phase = 0; phase < std::ssize(exchange_.phases()); ++phase) {
    const auto& sent = exchange_.phases()[phase];
    samples_.push_back({phase, PacketKind::up, bytes_of(sent.up[1])});
    samples_.push_back({phase, sent.down.header().kind, bytes_of(sent.down)});
  }
}

bool PacketTarget::receive(const Sample& sample, ByteVector bytes) {
  bool parsed = false;
  try {
    auto packet = Packet::parse(std::move(bytes));
    parsed = true;
    const Round round{
        .seed = 1, .workers = kWorkers, .phase = sample.phase, .count = count(views_)};
    if (sample.kind == PacketKind::up) {
      receive_up(round, sample, std::move(packet));
    } else {
      decode_to(views_, exchange_.worker(0), round, packet);
    }
  } catch (const PacketError&) {
  }
  return parsed;
}

void PacketTarget::receive_up(const Round& round, const Sample& sample, Packet packet) {
  auto& compressor = exchange_.worker(0);
  const auto traits = compressor.traits(0);
  if (traits.linear) {
    decode_to(views_, compressor, round, packet);
  } else {
    // One hostile packet among honest ones.
    auto up = exchange_.phases()[sample.phase].up;
    up[1] = packet;
    const std::vector<float> weights(up.size(), 1.0F / static_cast<float>(up.size()));
    Packet down;
    compressor.combine(round, views_, up, weights, down);
    decode_to(views_, compressor, round, down);
  }
  if (sample.phase + 1 == traits.phases) compressor.reconstruct(round, packet, views_);
  compressor.fields(round, packet, views_);
}

std::vector<std::string> fuzzed_specs() {
  std::vector<std::string> specs;
  for (const auto& entry : compressor_registry()) {
    if (!entry.decorator) specs.emplace_back(entry.example);
  }
  for (const auto* more : {"vote:tie=zero",
                           "vote:zero=zero",
                           "vote:exchange=gather",
                           "topk:ratio=0.3",
                           "randomk:ratio=0.3",
                           "topk:ratio=0.3+min:size=10+ef:target=averaged",
                           "sign+min:size=10",
                           "vote+min:size=20",
                           "powersgd:rank=1+min:size=16",
                           "ssdm:scaled",
                           "ssdm:scope=tensor",
                           "sign+doublesqueeze",
                           "topk:ratio=0.3+ef21",
                           "topk:ratio=0.3+sign",
                           "dgc:ratio=0.3",
                           "wangni:ratio=0.5",
                           "powersgd:iterations=2,min_rate=0",
                           "powersgd:alternate,min_rate=0",
                           "powersgd:rank=1,alternate,iterations=3,min_rate=0+ef",
                           "atomo:independent",
                           "gradiveq:slice=4,keep=2,samples=1,period=1",
                           "qsgd:levels=5,bucket=0",
                           "qsgd:bits=2,code=elias",
                           "terngrad:shared",
                           "terngrad:bucket=64",
                           "int8:bucket=3",
                           "terngrad:clip=2,shared+min:size=10",
                           "fp16:reduce=wide",
                           "bf16:reduce=hop",
                           "topk:ratio=0.3+qsgd:bits=4"}) {
    specs.emplace_back(more);
  }
  return specs;
}

ByteVector with_valid_checksum(const ByteVector& bytes) {
  if (bytes.size() < Packet::kHeaderBytes) return bytes;
  ByteReader in(std::span<const std::byte>(bytes).subspan(sizeof(Packet::kMagicVersion)));
  PacketHeader header;
  header.compressor = in.get<std::uint16_t>();
  header.kind = in.get<PacketKind>();
  header.phase = in.get<std::uint8_t>();
  header.step = in.get<std::uint32_t>();
  header.worker = in.get<std::uint16_t>();
  header.contributors = in.get<std::uint16_t>();
  header.tensors = in.get<std::uint32_t>();
  const auto payload = std::span<const std::byte>(bytes).subspan(Packet::kHeaderBytes);
  Packet packet(header, payload.size());
  ByteWriter(packet.payload()).put(payload);
  return bytes_of(std::move(packet));
}

}  // namespace terse
