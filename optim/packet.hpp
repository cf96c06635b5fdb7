// A packet: what a worker says. It is its bytes on the wire, a 32-byte header and the payload.
//
// Header, little-endian:
//   offset  0  u32  magic and version  "TSG" and 1
//           4  u16  compressor         number in the registry; 0 for raw values of a collective
//           6  u8   kind               up, partial, down or control
//           7  u8   phase
//           8  u32  step               low 32 bits
//          12  u16  worker             who said it
//          14  u16  weight             how many workers' gradients are in it
//          16  u32  tensors
//          20  u32  checksum           of the header with this field zero, and of the payload
//          24  u64  payload bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "tersegrad/core/bytes.hpp"

namespace terse {

enum class PacketKind : std::uint8_t {
  up = 1,       // from a worker
  partial = 2,  // a sum of several workers' payloads
  down = 3,     // the answer to all
  control = 4,  // an agreement between workers: counted apart
};
std::string_view to_string(PacketKind kind);

struct PacketHeader {
  std::uint16_t compressor = 0;
  PacketKind kind = PacketKind::up;
  std::uint8_t phase = 0;
  std::uint32_t step = 0;
  std::uint16_t worker = 0;
  std::uint16_t weight = 1;
  std::uint32_t tensors = 0;
};

class Packet {
 public:
  static constexpr std::size_t kHeaderBytes = 32;
  static constexpr std::uint32_t kMagicVersion = 0x01475354;  // 'T' 'S' 'G' 1

  Packet() { start({}, 0); }
  Packet(const PacketHeader& header, std::size_t payload_bytes) { start(header, payload_bytes); }

  // Begins a new packet in the same memory; the payload's bytes are not initialised.
  void start(const PacketHeader& header, std::size_t payload_bytes);

  PacketHeader header() const;
  std::span<std::byte> payload() { return std::span(bytes_).subspan(kHeaderBytes); }
  std::span<const std::byte> payload() const { return std::span(bytes_).subspan(kHeaderBytes); }
  // The payload as floats; it must be a whole number of them.
  std::span<float> floats();
  std::span<const float> floats() const;
  // The payload as 32-bit words; it must be a whole number of them.
  std::span<std::uint32_t> words();
  std::span<const std::uint32_t> words() const;

  std::span<const std::byte> bytes() const { return bytes_; }  // header and payload
  std::size_t size_bytes() const { return bytes_.size(); }

  // Gives its memory away, to be filled with bytes from outside; what is left must be started anew.
  ByteVector release() { return std::move(bytes_); }

  // Writes the checksum; call it when the payload is complete and before the packet is sent.
  void seal();

  // Takes bytes from outside: length, magic, version, kind and checksum are verified, or
  // PacketError.
  static Packet parse(ByteVector bytes);

  // Throws PacketError unless the packet is from this compressor and phase, and for so many
  // tensors.
  void expect(std::uint16_t compressor, int phase, std::size_t tensors) const;

 private:
  std::uint32_t checksum() const;
  ByteVector bytes_;
};

}  // namespace terse
