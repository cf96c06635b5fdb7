// A file with the bytes of a packet.
#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

namespace terse::run {

// What the payload cannot tell by itself. Without shapes, the fields of the payload stay unknown.
struct PacketFlags {
  std::optional<std::string> shapes;      // of the tensors: see parse_shapes
  std::optional<std::string> compressor;  // its spec; none: the header's, with default options
};

struct PacketReport {
  std::filesystem::path file;
  Packet packet;
  std::optional<std::string> spec;  // of the compressor whose fields are listed
  std::vector<Field> fields;
  std::string note;  // why there are no fields; empty if there are

  bool sound() const { return packet.stated_checksum() == packet.checksum(); }
};

// Throws Error if the bytes do not have the form of a packet; their checksum may be wrong. Throws
// UsageError, with the flag, if the payload does not fit the shapes or the compressor.
PacketReport report_packet(const std::filesystem::path& file, std::span<const std::byte> bytes,
                           const PacketFlags& flags);

std::string to_text(const PacketReport& report);
nlohmann::json to_json(const PacketReport& report);

}  // namespace terse::run
