#include "tersegrad/optim/packet.hpp"

#include <xxhash.h>
#ifdef TERSE_XXH_DISPATCH
#include <xxh_x86dispatch.h>  // redefines XXH3_64bits… to dispatch to the CPU's vector width
#endif

#include <cstring>
#include <utility>

#include "tersegrad/core/archive.hpp"

namespace terse {
namespace {

constexpr std::size_t kChecksumOffset = 20;

template <class T>
T load(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// The cast is aligned: the payload begins 32 bytes after the start of the allocation.
template <class T>
std::span<const T> payload_as(std::span<const std::byte> raw) {
  check<PacketError>(raw.size() % sizeof(T) == 0,
                     "packet: expected a whole number of 32-bit values; got {} payload bytes",
                     raw.size());
  return {reinterpret_cast<const T*>(raw.data()), raw.size() / sizeof(T)};
}

}  // namespace

std::string_view to_string(PacketKind kind) {
  switch (kind) {
    case PacketKind::up:
      return "up";
    case PacketKind::partial:
      return "partial";
    case PacketKind::down:
      return "down";
    case PacketKind::control:
      return "control";
  }
  return "unknown";
}

void Packet::start(const PacketHeader& header, std::size_t payload_bytes) {
  bytes_.resize(kHeaderBytes + payload_bytes);
  ByteWriter out(std::span<std::byte>(bytes_).first(kHeaderBytes));
  out.put(kMagicVersion);
  out.put(header.compressor);
  out.put(header.kind);
  out.put(header.phase);
  out.put(header.step);
  out.put(header.worker);
  out.put(header.contributors);
  out.put(header.tensors);
  out.put(std::uint32_t{0});
  out.put(static_cast<std::uint64_t>(payload_bytes));
}

PacketHeader Packet::header() const {
  ByteReader in(std::span<const std::byte>(bytes_).first(kHeaderBytes).subspan(4));
  PacketHeader header;
  header.compressor = in.get<std::uint16_t>();
  header.kind = in.get<PacketKind>();
  header.phase = in.get<std::uint8_t>();
  header.step = in.get<std::uint32_t>();
  header.worker = in.get<std::uint16_t>();
  header.contributors = in.get<std::uint16_t>();
  header.tensors = in.get<std::uint32_t>();
  return header;
}

std::span<float> Packet::floats() {
  const auto values = std::as_const(*this).floats();
  return {const_cast<float*>(values.data()), values.size()};
}

std::span<const float> Packet::floats() const {
  return payload_as<float>(payload());
}

std::span<std::uint32_t> Packet::words() {
  const auto values = std::as_const(*this).words();
  return {const_cast<std::uint32_t*>(values.data()), values.size()};
}

std::span<const std::uint32_t> Packet::words() const {
  return payload_as<std::uint32_t>(payload());
}

std::uint32_t Packet::stated_checksum() const {
  return load<std::uint32_t>(bytes_, kChecksumOffset);
}

std::uint32_t Packet::checksum() const {
  // The hash of the header, with its checksum field zero, is the seed of the payload's hash.
  std::byte head[kHeaderBytes];
  std::memcpy(head, bytes_.data(), kHeaderBytes);
  std::memset(head + kChecksumOffset, 0, sizeof(std::uint32_t));
  const auto seed = XXH3_64bits(head, kHeaderBytes);
  const auto raw = payload();
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(raw.data(), raw.size(), seed));
}

void Packet::seal() {
  const auto sum = checksum();
  std::memcpy(bytes_.data() + kChecksumOffset, &sum, sizeof sum);
}

void Packet::check_form() const {
  check<PacketError>(bytes_.size() >= kHeaderBytes, "packet: expected a header of {} bytes; got {}",
                     kHeaderBytes, bytes_.size());
  const std::span<const std::byte> all(bytes_);
  const auto magic = load<std::uint32_t>(all, 0);
  check<PacketError>(magic == kMagicVersion,
                     "packet: magic and version must be {:#010x}; got {:#010x}", kMagicVersion,
                     magic);
  const auto length = load<std::uint64_t>(all, 24);
  check<PacketError>(length == all.size() - kHeaderBytes,
                     "packet: expected {} payload bytes by the header; got {}", length,
                     all.size() - kHeaderBytes);
  const auto kind = load<std::uint8_t>(all, 6);
  check<PacketError>(kind >= 1 && kind <= 4, "packet: expected a kind from 1 to 4; got {}", kind);
}

Packet Packet::parse_unverified(ByteVector bytes) {
  Packet packet;
  packet.bytes_ = std::move(bytes);
  packet.check_form();
  return packet;
}

Packet Packet::parse(ByteVector bytes) {
  auto packet = parse_unverified(std::move(bytes));
  const auto sum = packet.checksum(), stated = packet.stated_checksum();
  check<PacketError>(sum == stated, "packet: checksum must be {:#010x}; got {:#010x}", sum, stated);
  return packet;
}

void Packet::serialize(Archive& archive, std::string_view name) {
  archive.allocated_item<std::byte>(name, bytes_, [&](std::size_t n) {
    bytes_.resize(n);
    return std::span<std::byte>(bytes_);
  });
  check_form();
}

void Packet::expect(std::uint16_t compressor, int phase, std::size_t tensors) const {
  const auto got = header();
  check<PacketError>(got.compressor == compressor, "packet: expected compressor {}; got {}",
                     compressor, got.compressor);
  check<PacketError>(got.phase == phase, "packet: expected phase {}; got {}", phase, got.phase);
  check<PacketError>(got.tensors == tensors, "packet: expected {} tensors; got {}", tensors,
                     got.tensors);
}

}  // namespace terse
