#include "examples/advise/advice.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "examples/run/line_chart.hpp"

namespace terse::run {
namespace {

constexpr double kHeader = Packet::kHeaderBytes;
constexpr std::int64_t kShownWorkers = 16;
constexpr double kShownRate = 10e9;
constexpr std::array<double, 5> kRates = {10e6, 100e6, 1e9, 10e9, 100e9};
constexpr std::array<std::int64_t, 10> kWorkers = {2, 4, 8, 16, 32, 64, 128, 256, 512, 1024};

// The latencies and bytes of a step at one worker's NIC.
struct Cost {
  double latencies = 0, bytes = 0;
};

Cost cost_of(const MeasuredMethod& m, std::int64_t workers) {
  const auto w = static_cast<double>(workers);
  const double k = m.traits.phases;
  if (m.traits.linear) return {2 * (w - 1) * k, 2 * (w - 1) * (kHeader * k + m.up / w)};
  if (m.traits.sliceable) {
    return {workers > 1 ? 2 * k : 0, (w - 1) * (2 * kHeader * k + (m.up + m.down) / w)};
  }
  return {(w - 1) * k, (w - 1) * (kHeader * k + m.up)};
}

std::string rate_text(double bits_per_second) {
  for (const auto& [factor, unit] : {std::pair{1e9, "Gbps"}, {1e6, "Mbps"}, {1e3, "Kbps"}}) {
    if (bits_per_second >= factor) return fmt::format("{:.3g} {}", bits_per_second / factor, unit);
  }
  return fmt::format("{:.3g} bps", bits_per_second);
}

// At most six characters below 1000 s.
std::string milliseconds_text(double seconds) {
  const double ms = 1e3 * seconds;
  return fmt::format("{:.{}f}", ms, ms < 99.95 ? 2 : ms < 999.5 ? 1 : 0);
}

}  // namespace

double MeasuredMethod::network_seconds(std::int64_t w, double latency,
                                       double bytes_per_second) const {
  const auto cost = cost_of(*this, w);
  return cost.latencies * latency + cost.bytes / bytes_per_second;
}

double MeasuredMethod::local_seconds(std::int64_t w) const {
  const auto now = static_cast<double>(w), then = static_cast<double>(workers);
  const bool gathers = !traits.linear && !traits.sliceable;
  const double exchange = gathers ? (now - 1) / (then - 1) : (now - 1) / now / ((then - 1) / then);
  return local[Part::encode] + exchange * local[Part::exchange] +
         (gathers ? now / then : 1) * local[Part::decode];
}

MeasuredMethod measure_method(const RunConfig& config, SyntheticGradients& gradients,
                              std::int64_t steps) {
  RunConfig free = config;
  free.network = "1000Tbps,0s";
  free.compute = "0s";
  const auto time = time_step(free, gradients, steps, LocalWork::measured);
  const auto w = static_cast<double>(config.workers);
  const auto up = static_cast<double>(time.message_bytes);
  return {.spec = config.compressor,
          .traits = make_compressor(config.compressor)->traits(1),
          .workers = config.workers,
          .up = up,
          .down = static_cast<double>(time.sent.payload_bytes_sent) / (w - 1) - up,
          .local = time.parts};
}

BreakEven break_even(const MeasuredMethod& method, const MeasuredMethod& none, std::int64_t workers,
                     double latency) {
  const auto cost = cost_of(method, workers), plain = cost_of(none, workers);
  // The additional time apart from bandwidth, and the bits saved.
  const double longer = method.local_seconds(workers) - none.local_seconds(workers) +
                        (cost.latencies - plain.latencies) * latency;
  const double saved = 8 * (plain.bytes - cost.bytes);
  constexpr double kAlways = std::numeric_limits<double>::infinity();
  if (saved >= 0) return {.below = longer < 0 ? kAlways : longer > 0 ? saved / longer : kAlways};
  return longer < 0 ? BreakEven{.from = saved / longer, .below = kAlways} : BreakEven{};
}

std::string to_string(const BreakEven& rates) {
  if (rates.from > 0) return "> " + rate_text(rates.from);
  if (std::isinf(rates.below)) return "always";
  return rates.below > 0 ? rate_text(rates.below) : "never";
}

std::string table_text(const Advice& advice) {
  const auto& none = advice.methods.front();
  std::string text = fmt::format(
      "Measured with {} workers, one at a time: encoding, adding and decoding of a step.\n"
      "Counted: the payload of a worker's packets. Computed: the rest.\n\n",
      none.workers);
  text += fmt::format("{:<21}{:>10}{:>8}{:>8}{:>8}{:>25}\n", "", "packet", "", "ms", "",
                      "pays below, for workers:");
  text += fmt::format("{:<21}{:>10}{:>8}{:>8}{:>8}{:>13}{:>12}\n", "method", "bytes", "encode",
                      "exch", "decode", none.workers, kShownWorkers);
  for (const auto& m : advice.methods) {
    const auto below = [&](std::int64_t w) {
      return m.spec == none.spec ? "" : to_string(break_even(m, none, w, advice.latency));
    };
    text += fmt::format("{:<21}{:>10.0f}{:>8.2f}{:>8.2f}{:>8.2f}{:>13}{:>12}\n", m.spec, m.up,
                        1e3 * m.local[Part::encode], 1e3 * m.local[Part::exchange],
                        1e3 * m.local[Part::decode], below(none.workers), below(kShownWorkers));
  }
  text += fmt::format("\nms per step, {} workers: compute {} (declared), local work, network\n",
                      kShownWorkers, milliseconds_text(advice.compute));
  text += fmt::format("{:<21}", "method");
  for (const double rate : kRates) text += fmt::format("{:>11}", rate_text(rate));
  for (const auto& m : advice.methods) {
    text += fmt::format("\n{:<21}", m.spec);
    for (const double rate : kRates) {
      text += fmt::format("{:>11}", milliseconds_text(advice.step_seconds(m, kShownWorkers, rate)));
    }
  }
  text += fmt::format("\n\nms per step, {}\n{:<21}", rate_text(kShownRate), "workers");
  for (std::size_t i = 0; i < kWorkers.size(); i += 2) text += fmt::format("{:>11}", kWorkers[i]);
  for (const auto& m : advice.methods) {
    text += fmt::format("\n{:<21}", m.spec);
    for (std::size_t i = 0; i < kWorkers.size(); i += 2) {
      text +=
          fmt::format("{:>11}", milliseconds_text(advice.step_seconds(m, kWorkers[i], kShownRate)));
    }
  }
  return text + "\n";
}

std::string chart_svg(const Advice& advice) {
  LineChart chart{
      .title = fmt::format("time of a step, {} workers, latency {:g} us", kShownWorkers,
                           1e6 * advice.latency),
      .x = {.label = "bits per second of each NIC", .logarithmic = true, .text = rate_text},
      .y = {.label = "ms per step",
            .logarithmic = true,
            .text = [](double ms) { return fmt::format("{:g}", ms); }},
      .curves = {}};
  for (const auto& m : advice.methods) {
    Curve curve{.name = m.spec, .points = {}};
    for (int i = 0; i <= 40; ++i) {
      const double rate = 10e6 * std::pow(10, i / 10.0);
      curve.points.emplace_back(rate, 1e3 * advice.step_seconds(m, kShownWorkers, rate));
    }
    chart.curves.push_back(std::move(curve));
  }
  return to_svg(chart);
}

nlohmann::json to_json(const Advice& advice) {
  const auto& none = advice.methods.front();
  nlohmann::json methods = nlohmann::json::array();
  for (const auto& m : advice.methods) {
    nlohmann::json steps = nlohmann::json::array(), rates = nlohmann::json::array();
    for (const std::int64_t w : kWorkers) {
      const auto even = break_even(m, none, w, advice.latency);
      rates.push_back({{"workers", w}, {"from_bps", even.from}});
      // JSON has no infinity.
      rates.back()["below_bps"] =
          std::isinf(even.below) ? nlohmann::json() : nlohmann::json(even.below);
      for (const double rate : kRates) {
        steps.push_back({{"workers", w},
                         {"bits_per_second", rate},
                         {"milliseconds", 1e3 * advice.step_seconds(m, w, rate)}});
      }
    }
    methods.push_back({{"method", m.spec},
                       {"measured",
                        {{"workers", m.workers},
                         {"encode_ms", 1e3 * m.local[Part::encode]},
                         {"exchange_ms", 1e3 * m.local[Part::exchange]},
                         {"decode_ms", 1e3 * m.local[Part::decode]},
                         {"message_bytes", m.up}}},
                       {"computed", {{"steps", steps}, {"beats_none", rates}}}});
  }
  return {{"compute_ms_declared", 1e3 * advice.compute},
          {"latency_us", 1e6 * advice.latency},
          {"methods", methods}};
}

}  // namespace terse::run
