#include "examples/run/packet_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "examples/run/text.hpp"

namespace terse::run {

const RegistryEntry* registry_entry(std::uint16_t number) {
  const auto registry = compressor_registry();
  const auto found = std::ranges::find(registry, number, &RegistryEntry::number);
  return found == registry.end() ? nullptr : &*found;
}

std::string_view compressor_name(std::uint16_t number) {
  if (number == 0) return "raw values of a collective";
  const auto* entry = registry_entry(number);
  return entry == nullptr ? "unknown" : entry->name;
}

namespace {

// The bytes of a field on the left and its values on the right.
std::string field_text(std::span<const std::byte> packet, std::size_t offset, std::size_t size,
                       const std::string& name, const std::string& values) {
  constexpr std::size_t kBytes = 8, kMostLines = 12, kTextWidth = 35;
  const auto text = wrapped(values, kTextWidth);
  const auto lines = std::max({std::size_t{1}, (size + kBytes - 1) / kBytes, text.size()});
  std::string out;
  for (std::size_t line = 0; line < std::min(lines, kMostLines); ++line) {
    const auto at = std::min(size, line * kBytes);
    const auto bytes = hex_text(packet.subspan(offset + at, std::min(kBytes, size - at)));
    const auto row = fmt::format(
        "{:>5} {:<18}{:<20} {}", at < size || line == 0 ? fmt::format("{}", offset + at) : "",
        bytes, line == 0 ? name.substr(0, 19) : "", line < text.size() ? text[line] : "");
    out += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
  }
  if (lines > kMostLines) out += fmt::format("      ... {} bytes in total\n", size);
  return out;
}

}  // namespace

std::string packet_text(const Packet& packet, std::span<const Field> fields) {
  const auto header = packet.header();
  const auto bytes = packet.bytes();
  const auto payload = packet.payload().size();
  std::string text =
      fmt::format("packet of phase {}: {} bytes, a header of {} and a payload of {}\n",
                  header.phase, bytes.size(), Packet::kHeaderBytes, payload);
  const auto line = [&](std::size_t offset, std::size_t size, const std::string& name,
                        const std::string& value) {
    text += field_text(bytes, offset, size, name, value);
  };
  line(0, 4, "magic and version", "TSG 1");
  line(4, 2, "compressor",
       fmt::format("{} ({})", header.compressor, compressor_name(header.compressor)));
  line(6, 1, "kind", std::string(to_string(header.kind)));
  line(7, 1, "phase", fmt::format("{}", header.phase));
  line(8, 4, "step", fmt::format("{}", header.step));
  line(12, 2, "worker", fmt::format("{}", header.worker));
  line(14, 2, "contributors", fmt::format("{}", header.contributors));
  line(16, 4, "tensors", fmt::format("{}", header.tensors));
  const auto stated = packet.stated_checksum(), computed = packet.checksum();
  line(20, 4, "checksum",
       stated == computed ? fmt::format("{:08x}, right", stated)
                          : fmt::format("{:08x}, wrong: expected {:08x}", stated, computed));
  line(24, 8, "payload bytes", fmt::format("{}", payload));
  for (const auto& field : fields) {
    line(Packet::kHeaderBytes + field.offset, field.size, field.name, field.text);
  }
  if (fields.empty() && payload > 0) line(Packet::kHeaderBytes, payload, "payload", "");
  return text;
}

}  // namespace terse::run
