// A packet as text, byte by byte.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tersegrad/optim/compressor.hpp"

namespace terse::run {

// The size, the header and the fields of the payload, in lines of at most 80 columns: the offset,
// the bytes, the name and the values. Without fields, shows the first bytes of the payload.
std::string packet_text(const Packet& packet, std::span<const Field> fields);
// The stage with this number in the registry; nullptr if there is none.
const RegistryEntry* registry_entry(std::uint16_t number);
// The compressor that a header names: "sign", "raw values of a collective" or "unknown".
std::string_view compressor_name(std::uint16_t number);

}  // namespace terse::run
