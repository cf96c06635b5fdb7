// Runs one compressor on a small tensor and shows what it says: packet, decoded values, error.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/random.hpp"
#include "examples/support/command_line.hpp"
#include "examples/support/program.hpp"
#include "examples/support/shape_list.hpp"
#include "optim/compressor.hpp"

namespace {

using namespace terse;

struct Example {
  GradView view;
  std::vector<float> values, mean;
  std::vector<Packet> said;  // by phase
};

// What a lone worker says of this tensor, and what it gets back.
void exchange_alone(Compressor& compressor, std::uint64_t seed, Example& e) {
  GradView out = e.view;
  out.data = e.mean;
  const std::vector<GradView> in{e.view}, mean{out};
  const auto traits = compressor.traits(0);
  const auto n = static_cast<std::int64_t>(e.values.size());
  for (int phase = 0; phase < traits.phases; ++phase) {
    const Round round{.seed = seed,
                      .step = 0,
                      .worker = 0,
                      .workers = 1,
                      .phase = phase,
                      .lr = 0.1F,
                      .first = 0,
                      .count = n};
    Packet up, down;
    compressor.encode(round, in, up);
    up.seal();
    if (traits.linear) {
      auto header = up.header();
      header.kind = PacketKind::partial;
      down.start(header, up.payload().size());
      std::ranges::copy(up.payload(), down.payload().begin());
    } else {
      compressor.combine(round, in, std::span(&up, 1), std::vector<float>{1.0F}, down);
    }
    compressor.decode(round, down, mean);
    e.said.push_back(std::move(up));
  }
}

void print_matrix(const char* title, const GradView& shape, std::span<const float> values) {
  fmt::print("\n{}\n", title);
  constexpr std::int64_t kMostRows = 8, kMostColumns = 8;
  for (std::int64_t r = 0; r < std::min(shape.rows, kMostRows); ++r) {
    for (std::int64_t c = 0; c < std::min(shape.cols, kMostColumns); ++c) {
      fmt::print("{:>9.4f}", values[static_cast<std::size_t>(r * shape.cols + c)]);
    }
    fmt::print("{}\n", shape.cols > kMostColumns ? " ..." : "");
  }
  if (shape.rows > kMostRows) fmt::print("      ...\n");
}

std::string hex(std::span<const std::byte> bytes, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < std::min(bytes.size(), most); ++i) {
    text += fmt::format("{:02x}{}", std::to_integer<int>(bytes[i]), i % 4 == 3 ? " " : "");
  }
  return bytes.size() > most ? text + "..." : text;
}

void print_packet(const Packet& packet, const std::vector<Field>& fields, int phase) {
  const auto header = packet.header();
  fmt::print("\npacket of phase {}: {} bytes, a header of {} and a payload of {}\n", phase,
             packet.size_bytes(), Packet::kHeaderBytes, packet.payload().size());
  const auto line = [&](std::size_t offset, std::size_t size, const std::string& name,
                        const std::string& text) {
    fmt::print("{:>5} {:<22.22} {:<22} {:.27}\n", offset,
               hex(packet.bytes().subspan(offset, size), 8), name, text);
  };
  line(0, 4, "magic and version", "TSG 1");
  line(4, 2, "compressor", fmt::format("{}", header.compressor));
  line(6, 1, "kind", std::string(to_string(header.kind)));
  line(7, 1, "phase", fmt::format("{}", header.phase));
  line(8, 4, "step", fmt::format("{}", header.step));
  line(12, 2, "worker", fmt::format("{}", header.worker));
  line(14, 2, "weight", fmt::format("{}", header.weight));
  line(16, 4, "tensors", fmt::format("{}", header.tensors));
  line(20, 4, "checksum", "");
  line(24, 8, "payload bytes", fmt::format("{}", packet.payload().size()));
  for (const auto& field : fields) {
    line(Packet::kHeaderBytes + field.offset, field.size, field.name, field.text);
  }
}

void explain(int argc, char** argv) {
  std::string spec, shape = "4x6";
  std::uint64_t seed = 1;
  bool json = false;
  run::CommandLine command_line("explain", "Shows what a compressor says of a small random tensor.",
                                "explain topk:ratio=0.25+ef --shape 4x6");
  command_line.positional("spec", spec, "the compressor, for instance sign+ef")
      .flag("--shape", shape, "of the tensor")
      .flag("--seed", seed, "of the tensor and of the compressor")
      .flag("--json", json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  if (spec.empty()) {
    for (const auto& entry : compressor_registry()) {
      fmt::print("{:<9} {}\n{:<9} {}\n", entry.name, entry.summary, "", entry.example);
    }
    throw UsageError("which compressor? for instance: explain sign+ef");
  }
  const auto shapes = run::parse_shapes(shape);
  check<UsageError>(shapes.size() == 1 && shapes[0].rows * shapes[0].cols <= 100'000,
                    "--shape: one shape of at most 100 000 values is wanted; got '{}'", shape);
  const auto compressor = make_compressor(spec);

  Example e;
  e.values.resize(static_cast<std::size_t>(shapes[0].rows * shapes[0].cols));
  e.mean.resize(e.values.size());
  Philox random(seed, {.purpose = Purpose::synthetic});
  for (auto& value : e.values) value = random.normal();
  e.view = {.id = 0, .rows = shapes[0].rows, .cols = shapes[0].cols, .data = e.values};
  exchange_alone(*compressor, seed, e);

  fmt::print("{}\n", compressor->spec());
  print_matrix("gradient", e.view, e.values);
  std::size_t payload = 0;
  for (std::size_t phase = 0; phase < e.said.size(); ++phase) {
    const Round round{.seed = seed,
                      .phase = static_cast<int>(phase),
                      .count = static_cast<std::int64_t>(e.values.size())};
    print_packet(e.said[phase], compressor->fields(round, e.said[phase], std::span(&e.view, 1)),
                 static_cast<int>(phase));
    payload += e.said[phase].payload().size();
  }
  print_matrix("decoded", e.view, e.mean);
  std::vector<float> error(e.values.size());
  double squares = 0, error_squares = 0;
  for (std::size_t i = 0; i < error.size(); ++i) {
    error[i] = e.values[i] - e.mean[i];
    squares += static_cast<double>(e.values[i]) * e.values[i];
    error_squares += static_cast<double>(error[i]) * error[i];
  }
  print_matrix("left unsaid (gradient - decoded)", e.view, error);
  const double relative = squares > 0 ? error_squares / squares : 0;
  const double bits = 8.0 * static_cast<double>(payload) / static_cast<double>(e.values.size());
  fmt::print("\n|x - C(x)|^2 / |x|^2 = {:.4f}, so delta = {:.4f} on this tensor\n", relative,
             1 - relative);
  fmt::print("{:.2f} bits a value, {:.1f} times smaller\n", bits, bits > 0 ? 32 / bits : 0);
  if (json) {
    fmt::print("{}\n", nlohmann::json({{"spec", compressor->spec()},
                                       {"input", e.values},
                                       {"decoded", e.mean},
                                       {"payload_bytes", payload},
                                       {"relative_error", relative},
                                       {"delta", 1 - relative},
                                       {"bits_per_value", bits}})
                           .dump());
  }
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("explain", [&] { explain(argc, argv); });
}
