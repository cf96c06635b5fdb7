// A packet: one message of the exchange between workers, stored as its bytes on the wire, a 32-byte
// header and the payload.
//
// Header, little-endian:
//   offset  0  u32  magic and version  "TSG" and 1
//           4  u16  compressor         number in the registry; 0: raw values of a collective
//           6  u8   kind               up, partial, down or control
//           7  u8   phase
//           8  u32  step               low 32 bits
//          12  u16  worker             number of the sender
//          14  u16  contributors       number of workers whose gradients it contains
//          16  u32  tensors
//          20  u32  checksum           XXH3 of the header with this field zero, and of the payload
//          24  u64  payload bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "tersegrad/core/bytes.hpp"

namespace terse {

class Archive;

enum class PacketKind : std::uint8_t {
  up = 1,       // from a worker
  partial = 2,  // a sum of several workers' payloads
  down = 3,     // the combined up packets; a server sends it, workers of a ring make it themselves
  control = 4,  // agreement between workers; its bytes are counted separately
};
std::string_view to_string(PacketKind kind);

struct PacketHeader {
  std::uint16_t compressor = 0;
  PacketKind kind = PacketKind::up;
  std::uint8_t phase = 0;
  std::uint32_t step = 0;
  std::uint16_t worker = 0;
  std::uint16_t contributors = 1;
  std::uint32_t tensors = 0;
};

class Packet {
 public:
  static constexpr std::size_t kHeaderBytes = 32;
  static constexpr std::uint32_t kMagicVersion = 0x01475354;  // 'T' 'S' 'G' 1

  Packet() { start({}, 0); }
  Packet(const PacketHeader& header, std::size_t payload_bytes) { start(header, payload_bytes); }

  // Starts a new packet in the same memory. The payload is not initialised.
  void start(const PacketHeader& header, std::size_t payload_bytes);

  PacketHeader header() const;
  std::span<std::byte> payload() { return std::span(bytes_).subspan(kHeaderBytes); }
  std::span<const std::byte> payload() const { return std::span(bytes_).subspan(kHeaderBytes); }
  // The payload as floats. Throws PacketError if its size is not a multiple of 4 bytes.
  std::span<float> floats();
  std::span<const float> floats() const;
  // The payload as 32-bit words. Throws PacketError if its size is not a multiple of 4 bytes.
  std::span<std::uint32_t> words();
  std::span<const std::uint32_t> words() const;

  std::span<const std::byte> bytes() const { return bytes_; }  // header and payload
  std::size_t size_bytes() const { return bytes_.size(); }

  // Moves the bytes out, so that the caller can reuse the memory, e.g. to receive into. The packet
  // may not be used again before `start`.
  ByteVector release() { return std::move(bytes_); }

  // Writes the checksum. Call it when the payload is complete, before the packet is sent.
  void seal();

  // Makes a packet of received bytes. Throws PacketError unless length, magic, version, kind and
  // checksum are correct.
  static Packet parse(ByteVector bytes);
  // The same for a packet whose checksum may be wrong.
  static Packet parse_unverified(ByteVector bytes);

  // The whole packet as one item. A loaded packet may have a wrong checksum, as one that was never
  // sealed has. Throws PacketError for bytes that are no packet.
  void serialize(Archive& archive, std::string_view name);

  std::uint32_t stated_checksum() const;  // that of the header
  std::uint32_t checksum() const;         // computed of the bytes

  // Throws PacketError unless the header has this compressor, phase and number of tensors.
  void expect(std::uint16_t compressor, int phase, std::size_t tensors) const;

 private:
  void check_form() const;  // length, magic, version and kind
  ByteVector bytes_;
};

}  // namespace terse
