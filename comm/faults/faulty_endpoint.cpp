#include "tersegrad/comm/faults/faulty_endpoint.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

namespace terse {
namespace {

void serialize_packets(Archive& archive, std::string_view name, std::vector<Packet>& packets) {
  const auto scope = archive.scope(name);
  std::uint64_t count = packets.size();
  archive.item("count", count);
  if (archive.loading()) packets.clear();
  for (std::uint64_t i = 0; i < count; ++i) {
    if (archive.loading()) packets.emplace_back();
    packets[i].serialize(archive, "packet");
  }
}

}  // namespace

FaultyEndpoint::FaultyEndpoint(Endpoint& below, const Attack& attack, std::uint64_t seed)
    : below_(below),
      attack_(attack),
      random_(seed, {.purpose = Purpose::attack,
                     .worker = static_cast<std::uint32_t>(below.rank()),
                     .step = 0xffffffff,  // a stream that no step and no tensor uses
                     .tensor = 0xffffffff}),
      sent_(static_cast<std::size_t>(below.size())) {}

void FaultyEndpoint::post(int to, Packet packet) {
  const auto header = packet.header();
  if (header.kind == PacketKind::control) return below_.post(to, std::move(packet));
  const bool now = !attack_.at || static_cast<std::uint32_t>(*attack_.at) == header.step;
  const bool hit =
      now && (attack_.kind == Attack::Kind::bit_flip || random_.uniform_double() < attack_.rate);
  if (attack_.kind == Attack::Kind::replay) replay(to, packet, hit);
  if (hit) {
    switch (attack_.kind) {
      case Attack::Kind::bit_flip:
        flip_bits(packet);
        break;
      case Attack::Kind::drop:
        return;
      case Attack::Kind::duplicate:
        below_.post(to, packet);
        break;
      case Attack::Kind::delay:
        wait();
        break;
      default:
        break;
    }
  }
  below_.post(to, std::move(packet));
}

// Draws the gaps between flipped bits, which are geometric: one draw per flipped bit.
void FaultyEndpoint::flip_bits(Packet& packet) {
  if (attack_.rate == 0) return;
  const auto payload = packet.payload();
  const auto bits = 8 * static_cast<double>(payload.size());
  const auto gap = [&] {
    if (attack_.rate == 1) return 0.0;
    return std::floor(std::log1p(-random_.uniform_double()) / std::log1p(-attack_.rate));
  };
  for (double bit = gap(); bit < bits; bit += 1 + gap()) {
    const auto at = static_cast<std::size_t>(bit);
    payload[at / 8] ^= std::byte{1} << (at % 8);
  }
  if (!attack_.keep_checksum) packet.seal();
}

void FaultyEndpoint::wait() {
  if (auto* time = clock()) {
    time->set(time->now() + attack_.milliseconds * 1e-3);
  } else {
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(attack_.milliseconds));
  }
}

void FaultyEndpoint::replay(int to, Packet& packet, bool hit) {
  auto& sent = sent_[static_cast<std::size_t>(to)];
  const auto header = packet.header();
  if (header.step != sent.step) {
    sent.step = header.step;
    std::swap(sent.before, sent.now);
    sent.now.clear();
  }
  const std::size_t place = sent.now.size();
  sent.now.push_back(packet);
  if (!hit || place >= sent.before.size()) return;
  packet = sent.before[place];
  if (attack_.keep_checksum) return;
  packet.start(header, packet.payload().size());  // keeps the payload
  packet.seal();
}

void FaultyEndpoint::serialize(Archive& archive) {
  auto draws = random_.position();
  archive.item("faults.draws", draws);
  random_.seek(draws);
  if (attack_.kind == Attack::Kind::replay) {
    for (std::size_t to = 0; to < sent_.size(); ++to) {
      const auto scope = archive.scope(fmt::format("faults.sent.{}", to));
      archive.item("step", sent_[to].step);
      serialize_packets(archive, "now", sent_[to].now);
      serialize_packets(archive, "before", sent_[to].before);
    }
  }
  below_.serialize(archive);
}

void install_faults(Worker& me, const Attack& attack, std::uint64_t seed) {
  check_attack(attack, me.size());
  if (!attack.on_wire()) return;
  const bool honest = !attack.by(me.rank(), me.size());
  me.wrap_endpoint(
      std::make_unique<FaultyEndpoint>(me.endpoint(), honest ? Attack{} : attack, seed));
}

}  // namespace terse
