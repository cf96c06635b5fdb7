#include "examples/inspect/packet_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "examples/run/command_line.hpp"
#include "examples/run/packet_text.hpp"
#include "examples/run/shape_list.hpp"
#include "examples/run/text.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {
namespace {

// Tensors of given shapes. Compressors read their sizes only, so the memory of their values is
// never touched.
class Shapes {
 public:
  explicit Shapes(const std::string& text) {
    constexpr std::int64_t kMostValues = std::int64_t{1} << 31;
    std::int64_t n = 0;
    const auto shapes = parse_shapes(text);
    for (const auto& shape : shapes) {
      check<UsageError>(shape.rows * shape.cols <= kMostValues - n,
                        "--shapes: expected at most {} values", kMostValues);
      n += shape.rows * shape.cols;
    }
    values_ = std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(n));
    float* at = values_.get();
    for (const auto& shape : shapes) {
      const std::span<float> data(at, static_cast<std::size_t>(shape.rows * shape.cols));
      at += data.size();
      views_.push_back({.id = static_cast<std::uint32_t>(views_.size()),
                        .rows = shape.rows,
                        .cols = shape.cols,
                        .kernel = shape.kernel,
                        .data = data});
    }
  }
  std::span<const GradView> views() const { return views_; }

 private:
  std::unique_ptr<float[]> values_;
  std::vector<GradView> views_;
};

// Why the fields of this packet cannot be listed, whatever the flags; empty if they can.
std::string obstacle(const PacketReport& report, const PacketFlags& flags) {
  const auto header = report.packet.header();
  if (!report.sound()) return "the checksum is wrong, so the payload is not read";
  if (header.kind != PacketKind::up) return "only the payload of an up packet is known by field";
  if (report.packet.payload().empty()) return "the payload is empty";
  if (registry_entry(header.compressor) == nullptr && !flags.compressor) {
    return "the registry has no such compressor";
  }
  if (!flags.shapes) {
    return "--shapes LIST, such as 64x3x3x3,64, shows the payload by field. If the compressor's "
           "options are not the defaults, add --compressor SPEC.";
  }
  return "";
}

void list_fields(const PacketFlags& flags, PacketReport& report) {
  const auto header = report.packet.header();
  const Shapes shapes(*flags.shapes);
  check<UsageError>(shapes.views().size() == header.tensors,
                    "--shapes: expected {} shapes, one for each tensor of the packet; got {}",
                    header.tensors, shapes.views().size());
  const auto compressor = for_flag("--compressor", [&] {
    return make_compressor(flags.compressor ? *flags.compressor
                                            : registry_entry(header.compressor)->name);
  });
  report.spec = compressor->spec();
  const Round round{.step = header.step,
                    .worker = header.worker,
                    .phase = header.phase,
                    .count = count(shapes.views())};
  std::size_t covered = 0;
  std::string reason;
  try {
    report.fields = compressor->fields(round, report.packet, shapes.views());
    for (const auto& field : report.fields) covered += field.size;
    if (covered != report.packet.payload().size()) {
      reason = fmt::format("they have {} bytes of fields, and the payload has {}", covered,
                           report.packet.payload().size());
    }
  } catch (const PacketError& error) {
    reason = error.what();
  }
  check<UsageError>(reason.empty(),
                    "--shapes: the payload does not fit these shapes and {}: {}; name the "
                    "compressor's options by --compressor, or other shapes",
                    *report.spec, reason);
}

}  // namespace

PacketReport report_packet(const std::filesystem::path& file, std::span<const std::byte> bytes,
                           const PacketFlags& flags) {
  PacketReport report{.file = file, .packet = {}, .spec = {}, .fields = {}, .note = {}};
  try {
    report.packet = Packet::parse_unverified({bytes.begin(), bytes.end()});
  } catch (const PacketError& error) {
    throw Error(fmt::format("'{}': {}", file.string(), error.what()));
  }
  report.note = obstacle(report, flags);
  if (report.note.empty()) list_fields(flags, report);
  return report;
}

std::string to_text(const PacketReport& report) {
  auto text = fmt::format("{}: a packet\n", report.file.string());
  if (report.spec) {
    for (const auto& line : wrapped(*report.spec, 80)) text += line + "\n";
  }
  text += packet_text(report.packet, report.fields);
  for (const auto& line : wrapped(report.note, 80)) text += line + "\n";
  return text;
}

nlohmann::json to_json(const PacketReport& report) {
  constexpr std::size_t kShown = 96;  // bytes of the payload
  const auto header = report.packet.header();
  const auto payload = report.packet.payload();
  auto fields = nlohmann::json::array();
  for (const auto& field : report.fields) {
    fields.push_back({{"name", field.name},
                      {"offset", Packet::kHeaderBytes + field.offset},
                      {"size", field.size},
                      {"text", field.text}});
  }
  return {{"kind", "packet"},
          {"file", report.file.string()},
          {"bytes", report.packet.size_bytes()},
          {"compressor", header.compressor},
          {"compressor_name", compressor_name(header.compressor)},
          {"packet_kind", to_string(header.kind)},
          {"phase", header.phase},
          {"step", header.step},
          {"worker", header.worker},
          {"contributors", header.contributors},
          {"tensors", header.tensors},
          {"checksum", fmt::format("{:08x}", report.packet.stated_checksum())},
          {"sound", report.sound()},
          {"payload_bytes", payload.size()},
          {"payload_begin", hex_text(payload.first(std::min(kShown, payload.size())))},
          {"spec", report.spec ? nlohmann::json(*report.spec) : nlohmann::json()},
          {"fields", std::move(fields)}};
}

}  // namespace terse::run
