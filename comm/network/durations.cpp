#include "tersegrad/comm/network/durations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse {
namespace {

constexpr std::int64_t kMostDelay = 1 << 20;

double exponential(Philox& stream) {
  return -std::log1p(-stream.uniform_double());
}

}  // namespace

// ---- durations ----------------------------------------------------------------------------------

Durations::Durations(std::string_view spec, int workers, std::span<const double> speeds,
                     std::uint64_t seed) {
  const Stage stage = parse_stage("durations", spec);
  Options options("durations", stage);
  if (stage.name == "constant") {
    const double jitter = options.number("jitter", 0, 0, 1);
    spec_ = fmt::format("constant:jitter={}", jitter);
    draw_ = [jitter](Philox& stream) { return 1 + jitter * (stream.uniform_double() - 0.5); };
  } else if (stage.name == "exponential") {
    spec_ = "exponential";
    draw_ = exponential;
  } else if (stage.name == "erlang") {
    const auto k = options.integer("k", 4, 1, 1000);
    spec_ = fmt::format("erlang:k={}", k);
    draw_ = [k](Philox& stream) {
      double sum = 0;
      for (std::int64_t i = 0; i < k; ++i) sum += exponential(stream);
      return sum / static_cast<double>(k);
    };
  } else if (stage.name == "pareto") {
    const double alpha = options.number("alpha", 2.5, 1.01, 100);
    spec_ = fmt::format("pareto:alpha={}", alpha);
    draw_ = [alpha](Philox& stream) {
      return (1 - 1 / alpha) * std::pow(1 - stream.uniform_double(), -1 / alpha);
    };
  } else {
    check<UsageError>(stage.name == "measured", "{}",
                      unknown_name("durations", stage.name,
                                   {"constant", "exponential", "erlang", "pareto", "measured"}));
    spec_ = "measured";
  }
  options.finish();
  for (const double speed : speeds) {
    check<UsageError>(speed > 0 && std::isfinite(speed), "speeds: expected numbers above 0; got {}",
                      speed);
  }
  for (int worker = 0; worker < workers; ++worker) {
    const auto place = static_cast<std::size_t>(worker);
    speeds_.push_back(speeds.empty() ? 1 : speeds[place % speeds.size()]);
    streams_.emplace_back(
        seed, Stream{.purpose = Purpose::arrival, .worker = static_cast<std::uint32_t>(worker)});
  }
}

double Durations::next(int worker, double measured_seconds) {
  const auto place = static_cast<std::size_t>(worker);
  return (draw_ ? draw_(streams_[place]) : measured_seconds) / speeds_[place];
}

void Durations::serialize(Archive& archive) {
  std::vector<std::uint64_t> positions;
  for (const auto& stream : streams_) positions.push_back(stream.position());
  archive.item("durations", std::span(positions));
  for (std::size_t w = 0; w < streams_.size(); ++w) streams_[w].seek(positions[w]);
}

std::vector<double> parse_speeds(std::string_view text) {
  std::vector<double> speeds;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    const auto part = text.substr(0, comma);
    double speed = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), speed);
    check<UsageError>(
        error == std::errc{} && end == part.data() + part.size() && speed > 0 &&
            std::isfinite(speed) && comma + 1 != text.size(),
        "speeds: expected numbers above 0 separated by commas, such as 1,1,0.5; got '{}'", text);
    speeds.push_back(speed);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return speeds;
}

// ---- delays -------------------------------------------------------------------------------------

Delays::Delays(std::string_view spec, std::uint64_t seed)
    : stream_(seed, {.purpose = Purpose::arrival, .worker = (1U << 24) - 1}) {
  const Stage stage = parse_stage("delays", spec);
  Options options("delays", stage);
  const auto most = [&](const char* key, std::int64_t fallback) {
    return static_cast<std::uint64_t>(options.integer(key, fallback, 0, kMostDelay));
  };
  if (stage.name == "constant") {
    most_ = most("s", 1);
    spec_ = fmt::format("constant:s={}", most_);
    draw_ = [s = most_](Philox&) { return s; };
  } else if (stage.name == "uniform") {
    most_ = most("most", 8);
    spec_ = fmt::format("uniform:most={}", most_);
    draw_ = [most = most_](Philox& stream) { return stream.below(most + 1); };
  } else if (stage.name == "geometric") {
    const double mean = options.number("mean", 4, 0, 1e5);
    most_ = most("most", 64);
    spec_ = fmt::format("geometric:mean={},most={}", mean, most_);
    // P(j) = p (1 - p)^j with p = 1 / (1 + mean), by inversion.
    const double log_q = std::log(mean / (1 + mean));
    draw_ = [log_q](Philox& stream) {
      const double j = std::floor(std::log1p(-stream.uniform_double()) / log_q);
      return static_cast<std::uint64_t>(std::clamp(j, 0.0, static_cast<double>(kMostDelay)));
    };
  } else {
    check<UsageError>(
        stage.name == "poisson", "{}",
        unknown_name("delays", stage.name, {"constant", "uniform", "geometric", "poisson"}));
    const double mean = options.number("mean", 4, 0, 500);  // exp(-500) is still a double
    most_ = most("most", 64);
    spec_ = fmt::format("poisson:mean={},most={}", mean, most_);
    // Knuth's algorithm: the number of uniform draws whose product stays above exp(-mean).
    draw_ = [least = std::exp(-mean)](Philox& stream) {
      std::uint64_t arrivals = 0;
      for (double left = 1 - stream.uniform_double(); left > least;
           left *= 1 - stream.uniform_double()) {
        ++arrivals;
      }
      return arrivals;
    };
  }
  options.finish();
}

std::uint64_t Delays::next(std::uint64_t version) {
  return std::min({draw_(stream_), most_, version});
}

void Delays::serialize(Archive& archive) {
  auto position = stream_.position();
  archive.item("delays", position);
  stream_.seek(position);
}

}  // namespace terse
