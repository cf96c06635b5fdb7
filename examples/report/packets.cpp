#include "examples/report/packets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <span>
#include <tuple>

#include "examples/run/packet_text.hpp"
#include "examples/run/step_time.hpp"
#include "tersegrad/comm/topology/bucket.hpp"
#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {
namespace {

using Json = nlohmann::json;

// A packet that records.json lists.
struct RecordedPacketFile {
  std::filesystem::path file;
  std::int64_t step = 0, worker = 0, phase = 0;
  std::int64_t first = 0, count = 0;  // the coordinates of its bucket
};

std::vector<RecordedPacketFile> listed_packets(const std::filesystem::path& records,
                                               const Json& json) {
  std::vector<RecordedPacketFile> all;
  for (const auto& step : json.at("steps")) {
    const auto number = step.at("step").get<std::int64_t>();
    for (const auto& worker : step.at("workers")) {
      const auto rank = worker.at("worker").get<std::int64_t>();
      const auto folder = records / fmt::format("step-{}", number) / fmt::format("worker-{}", rank);
      for (const auto& packet : step.at("packets")) {
        const std::filesystem::path file(packet.at("file").get<std::string>());
        all.push_back({.file = folder / file.filename(),
                       .step = number,
                       .worker = rank,
                       .phase = packet.at("phase"),
                       .first = packet.at("first"),
                       .count = packet.at("count")});
      }
    }
  }
  return all;
}

// Those of the first workers in all steps, rather than those of all workers in the first steps.
void choose(std::vector<RecordedPacketFile>& packets, std::size_t most) {
  std::ranges::sort(packets, {}, [](const RecordedPacketFile& p) {
    return std::tuple(p.worker, p.step, p.phase, p.first);
  });
  packets.resize(std::min(packets.size(), most));
  std::ranges::sort(packets, {}, [](const RecordedPacketFile& p) {
    return std::tuple(p.step, p.worker, p.phase, p.first);
  });
}

// Lists the fields of packets of one model and method.
class FieldReader {
 public:
  FieldReader(const std::string& compressor, const std::vector<MatrixShape>& shapes) {
    if (shapes.empty()) return;
    std::int64_t n = 0;
    for (const auto& shape : shapes) n += shape.rows * shape.cols;
    values_ = Buffer<float>(n);
    views_ = views_of(values_.span(), shapes);
    compressor_ = make_compressor(compressor);
  }

  // Empty if the shapes are unknown, or the packet does not fit them.
  std::vector<Field> fields(const RecordedPacketFile& of, const Packet& packet) const {
    const auto header = packet.header();
    if (!compressor_ || packet.stated_checksum() != packet.checksum()) return {};
    const auto views = views_in(of.first, of.count);
    if (header.kind != PacketKind::up || views.size() != header.tensors) return {};
    const Round round{.step = header.step,
                      .worker = header.worker,
                      .phase = header.phase,
                      .first = of.first,
                      .count = of.count};
    try {
      return compressor_->fields(round, packet, views);
    } catch (const Error&) {
      return {};
    }
  }

 private:
  // The tensors of a bucket.
  std::span<const GradView> views_in(std::int64_t first, std::int64_t count) const {
    const std::span<const GradView> all(views_);
    const auto begins = begins_of(all);
    const auto index = [&](std::int64_t coordinate) {
      return static_cast<std::size_t>(std::ranges::lower_bound(begins, coordinate) -
                                      begins.begin());
    };
    const auto begin = std::min(index(first), all.size());
    const auto end = std::min(index(first + count), all.size());
    return all.subspan(begin, end - std::min(begin, end));
  }

  Buffer<float> values_;  // never read
  std::vector<GradView> views_;
  std::unique_ptr<Compressor> compressor_;
};

std::string hex_of(std::span<const std::byte> bytes) {
  std::string text;
  for (const auto byte : bytes) text += fmt::format("{:02x}", std::to_integer<int>(byte));
  return text;
}

Json header_json(const Packet& packet) {
  const auto header = packet.header();
  return {{"compressor", header.compressor},
          {"compressor_name", compressor_name(header.compressor)},
          {"kind", to_string(header.kind)},
          {"phase", header.phase},
          {"step", header.step},
          {"worker", header.worker},
          {"contributors", header.contributors},
          {"tensors", header.tensors},
          {"checksum", fmt::format("{:08x}", packet.stated_checksum())},
          {"sound", packet.stated_checksum() == packet.checksum()},
          {"payload_bytes", packet.payload().size()}};
}

Json packet_json(const RecordedPacketFile& of, const FieldReader& reader, std::size_t shown) {
  const auto bytes = read_file(of.file);
  const auto packet = Packet::parse_unverified({bytes.begin(), bytes.end()});
  constexpr std::size_t kMostFields = 200, kMostText = 120;
  auto fields = Json::array();
  for (const auto& field : reader.fields(of, packet)) {
    if (fields.size() == kMostFields || field.offset >= shown) break;
    fields.push_back({{"name", field.name},
                      {"offset", Packet::kHeaderBytes + field.offset},
                      {"size", field.size},
                      {"text", field.text.substr(0, kMostText)}});
  }
  return {{"step", of.step},
          {"worker", of.worker},
          {"phase", of.phase},
          {"header", header_json(packet)},
          {"fields", std::move(fields)},
          {"bytes", packet.size_bytes()},
          {"hex", hex_of(packet.bytes().first(std::min(shown, packet.size_bytes())))}};
}

}  // namespace

Json recorded_packets(const std::filesystem::path& folder, const std::string& compressor,
                      const std::vector<MatrixShape>& shapes, const PageLimits& limits,
                      std::vector<std::string>& notes) {
  const auto records = folder / "records", manifest = records / "records.json";
  auto list = Json::array();
  std::error_code none;
  if (!std::filesystem::exists(manifest, none)) return list;
  try {
    const auto bytes = read_file(manifest);
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    auto packets = listed_packets(records, Json::parse(text, text + bytes.size()));
    choose(packets, limits.packets);
    const FieldReader reader(compressor, shapes);
    for (const auto& packet : packets) {
      try {
        list.push_back(packet_json(packet, reader, limits.packet_bytes));
      } catch (const Error& error) {
        notes.push_back(fmt::format("{}: this recorded packet is left out: {}",
                                    packet.file.string(), error.what()));
      }
    }
  } catch (const Json::exception& error) {
    notes.push_back(
        fmt::format("{}: records.json cannot be read: {}", folder.string(), error.what()));
  } catch (const Error& error) {
    notes.push_back(
        fmt::format("{}: a recorded packet cannot be read: {}", folder.string(), error.what()));
  }
  return list;
}

}  // namespace terse::run
