#include "examples/explain/explanation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "examples/run/packet_text.hpp"
#include "examples/run/text.hpp"
#include "tersegrad/core/random.hpp"

namespace terse::run {
namespace {

// Collects the float arrays of a compressor's state. There is one tensor, so the name of an array
// of a tensor is that of its scope.
class StateArrays final : public ReadingArchive {
 public:
  using Arrays = std::vector<std::pair<std::string, std::vector<float>>>;
  Arrays arrays;

 private:
  void transfer(const Item& item) override {
    if (item.type != ItemType::f32) return;
    std::vector<float> values(item.data.size() / sizeof(float));
    std::ranges::copy(item.data, std::as_writable_bytes(std::span(values)).begin());
    arrays.emplace_back(item.name.substr(0, item.name.rfind('/')), std::move(values));
  }
};

// Runs all phases of a step; `phases` receives the packets.
void exchange_alone(Compressor& compressor, Round round, const GradView& gradient,
                    const GradView& mean, std::vector<Explanation::Phase>& phases) {
  const std::vector<GradView> in{gradient}, out{mean};
  const auto traits = compressor.traits(round.step);
  for (round.phase = 0; round.phase < traits.phases; ++round.phase) {
    Packet up, down;
    compressor.encode(round, in, up);
    up.seal();
    if (traits.linear) {
      auto header = up.header();
      header.kind = PacketKind::partial;
      down.start(header, up.payload().size());
      std::ranges::copy(up.payload(), down.payload().begin());
    } else if (traits.sliceable) {
      compressor.combine(round, {}, std::span(&up, 1), std::vector<float>{1.0F}, down);
    } else {
      compressor.combine(round, in, std::span(&up, 1), std::vector<float>{1.0F}, down);
    }
    auto fields = compressor.fields(round, up, in);
    decode_to(out, compressor, round, down);
    phases.push_back({std::move(up), std::move(fields)});
  }
}

double squares(std::span<const float> x) {
  double sum = 0;
  for (const float value : x) sum += static_cast<double>(value) * value;
  return sum;
}

// The first 8 rows and columns of a matrix, nine characters for each value.
std::string matrix_text(const std::string& title, const MatrixShape& shape,
                        std::span<const float> values) {
  constexpr std::int64_t kMostRows = 8, kMostColumns = 8;
  std::string text = fmt::format("\n{}\n", title);
  for (std::int64_t r = 0; r < std::min(shape.rows, kMostRows); ++r) {
    for (std::int64_t c = 0; c < std::min(shape.cols, kMostColumns); ++c) {
      text += fmt::format("{:>9.4f}", values[static_cast<std::size_t>(r * shape.cols + c)]);
    }
    text += shape.cols > kMostColumns ? " ...\n" : "\n";
  }
  return shape.rows > kMostRows ? text + "      ...\n" : text;
}

}  // namespace

Explanation explain_step(Compressor& compressor, const MatrixShape& shape, std::uint64_t seed,
                         std::uint64_t step) {
  Explanation e{.spec = compressor.spec(), .shape = shape, .step = step};
  const auto n = shape.rows * shape.cols;
  e.gradient.resize(static_cast<std::size_t>(n));
  e.decoded.resize(e.gradient.size());
  GradView gradient{
      .id = 0, .rows = shape.rows, .cols = shape.cols, .kernel = shape.kernel, .data = e.gradient};
  GradView mean = gradient;
  mean.data = e.decoded;
  for (std::uint64_t s = 0; s <= step; ++s) {
    Philox random(seed, {.purpose = Purpose::synthetic, .step = static_cast<std::uint32_t>(s)});
    for (auto& value : e.gradient) value = random.normal();
    e.phases.clear();
    exchange_alone(compressor, {.seed = seed, .step = s, .lr = 0.1F, .count = n}, gradient, mean,
                   e.phases);
  }
  StateArrays state;
  compressor.serialize(state);
  e.state = std::move(state.arrays);
  for (const auto& remark : compressor.remarks(step, std::span(&gradient, 1))) {
    e.remarks.push_back((remark.warning ? "warning: " : "") + remark.text);
  }

  std::size_t payload = 0;
  for (const auto& phase : e.phases) payload += phase.packet.payload().size();
  for (std::size_t i = 0; i < e.gradient.size(); ++i) {
    e.residual.push_back(e.gradient[i] - e.decoded[i]);
  }
  const double size = squares(e.gradient);
  e.relative_error = size > 0 ? squares(e.residual) / size : 0;
  e.bits_per_value = n > 0 ? 8.0 * static_cast<double>(payload) / static_cast<double>(n) : 0;
  return e;
}

std::string to_text(const Explanation& e) {
  std::string text;
  for (const auto& line : wrapped(e.spec, 80)) text += line + "\n";
  text += matrix_text(e.step == 0 ? "gradient" : fmt::format("gradient of step {}", e.step),
                      e.shape, e.gradient);
  for (const auto& phase : e.phases) text += "\n" + packet_text(phase.packet, phase.fields);
  text += matrix_text("decoded", e.shape, e.decoded);
  text += matrix_text("residual (gradient - decoded)", e.shape, e.residual);
  for (const auto& [name, values] : e.state) {
    const bool like_gradient = values.size() == e.gradient.size();
    const auto n = static_cast<std::int64_t>(values.size());
    text += matrix_text("state for the next step: " + name,
                        like_gradient ? e.shape : MatrixShape{"", 1, n}, values);
  }
  for (const auto& remark : e.remarks) {
    text += "\n";
    for (const auto& line : wrapped(remark, 80)) text += line + "\n";
  }
  text += fmt::format("\n|x - C(x)|^2 / |x|^2 = {:.4f}, so delta = {:.4f} on this tensor\n",
                      e.relative_error, 1 - e.relative_error);
  text += fmt::format("{:.2f} bits per value, {:.1f} times smaller\n", e.bits_per_value,
                      e.bits_per_value > 0 ? 32 / e.bits_per_value : 0);
  return text;
}

nlohmann::json to_json(const Explanation& e) {
  auto packets = nlohmann::json::array();
  std::size_t payload = 0;
  for (const auto& phase : e.phases) {
    payload += phase.packet.payload().size();
    auto fields = nlohmann::json::array();
    for (const auto& field : phase.fields) {
      const auto bytes = phase.packet.payload().subspan(field.offset, field.size);
      fields.push_back({{"name", field.name},
                        {"offset", Packet::kHeaderBytes + field.offset},
                        {"bytes", hex_text(bytes)},
                        {"text", field.text}});
    }
    packets.push_back({{"phase", phase.packet.header().phase},
                       {"bytes", hex_text(phase.packet.bytes())},
                       {"fields", std::move(fields)}});
  }
  auto state = nlohmann::json::object();
  for (const auto& [name, values] : e.state) state[name] = values;
  return {{"spec", e.spec},
          {"shape", {e.shape.rows, e.shape.cols}},
          {"step", e.step},
          {"input", e.gradient},
          {"packets", std::move(packets)},
          {"decoded", e.decoded},
          {"left_unsaid", e.residual},
          {"state", std::move(state)},
          {"remarks", e.remarks},
          {"payload_bytes", payload},
          {"relative_error", e.relative_error},
          {"delta", 1 - e.relative_error},
          {"bits_per_value", e.bits_per_value}};
}

}  // namespace terse::run
