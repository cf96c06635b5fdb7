#include "tersegrad/comm/network/network_model.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse {
namespace {

constexpr std::size_t kFrameBytes = 1500;
constexpr int kMostWorkers = 65535;

// ---- text ---------------------------------------------------------------------------------------

struct Unit {
  std::string_view name;
  double factor;
};
// The largest unit first, for quantity_text.
constexpr std::array kRates = {Unit{"Tbps", 1e12}, Unit{"Gbps", 1e9}, Unit{"Mbps", 1e6},
                               Unit{"Kbps", 1e3}, Unit{"bps", 1}};
constexpr std::array kTimes = {Unit{"s", 1}, Unit{"ms", 1e-3}, Unit{"us", 1e-6}, Unit{"ns", 1e-9}};

// Round figures for four orders of magnitude, not measurements of real networks.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kPresets = {
    {{"10gbe", "10Gbps,20us"},
     {"1gbe", "1Gbps,50us"},
     {"100mbps", "100Mbps,100us"},
     {"wan", "50Mbps,30ms"}}};

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// "10Gbps" gives 10e9. Returns nullopt unless the text is a number with one of the units.
std::optional<double> parse_quantity(std::string_view text, std::span<const Unit> units) {
  for (const auto& unit : units) {
    if (!text.ends_with(unit.name)) continue;
    const auto value = parse_number<double>(text.substr(0, text.size() - unit.name.size()));
    if (value && std::isfinite(*value)) return *value * unit.factor;
  }
  return std::nullopt;
}

// The value in the largest unit in which it is at least 1 and is parsed back to the same double.
std::string quantity_text(double value, std::span<const Unit> units) {
  for (const auto& unit : units) {
    auto text = fmt::format("{}{}", value / unit.factor, unit.name);
    if (value >= unit.factor && parse_quantity(text, units) == value) return text;
  }
  const auto one = std::ranges::find(units, 1.0, &Unit::factor);
  return fmt::format("{}{}", value, one->name);
}

std::optional<double> parse_rate(std::string_view text) {
  const auto rate = parse_quantity(text, kRates);
  return rate && *rate >= 1 && *rate <= 1e15 ? rate : std::nullopt;
}

std::optional<double> parse_time(std::string_view text) {
  const auto time = parse_quantity(text, kTimes);
  return time && *time >= 0 && *time <= 1e6 ? time : std::nullopt;
}

template <class T>
T expected(std::optional<T> value, std::string_view what, std::string_view item) {
  check<UsageError>(value.has_value(), "network: expected {}; got '{}'", what, item);
  return *value;
}

std::optional<int> parse_worker(std::string_view text) {
  const auto worker = parse_number<int>(text);
  return worker && *worker >= 0 && *worker < kMostWorkers ? worker : std::nullopt;
}

std::pair<std::string_view, std::string_view> cut(std::string_view text, char at) {
  const auto place = text.find(at);
  if (place == std::string_view::npos) return {text, {}};
  return {text.substr(0, place), text.substr(place + 1)};
}

Network::Link parse_link(std::string_view value, std::string_view item) {
  constexpr std::string_view kForm = "a link such as link=0-3:1Gbps or link=0-3:5ms";
  const auto [ends, speed] = cut(value, ':');
  const auto [a, b] = cut(ends, '-');
  Network::Link link{.a = expected(parse_worker(a), kForm, item),
                     .b = expected(parse_worker(b), kForm, item),
                     .bits_per_second = parse_rate(speed),
                     .latency = parse_time(speed)};
  check<UsageError>((link.bits_per_second || link.latency) && link.a != link.b,
                    "network: expected {}; got '{}'", kForm, item);
  return link;
}

void read_option(Network& network, std::string_view item) {
  const auto [key, value] = cut(item, '=');
  const auto [worker, amount] = cut(value, ':');
  if (key == "jitter") {
    network.jitter = expected(parse_time(value), "a time such as jitter=5us", item);
  } else if (key == "retry") {
    network.retry = expected(parse_time(value), "a time such as retry=1ms", item);
  } else if (key == "loss") {
    const auto loss = parse_number<double>(value);
    const bool sound = loss && *loss >= 0 && *loss <= 0.5;
    network.loss = expected(sound ? loss : std::nullopt, "a share from 0 to 0.5 for loss", item);
  } else if (key == "slow") {
    constexpr std::string_view kForm = "a worker and a factor above 0 such as slow=3:2";
    const auto times = parse_number<double>(amount);
    const bool sound = times && *times > 0 && *times <= 1e6;
    network.slow.push_back({.worker = expected(parse_worker(worker), kForm, item),
                            .times = expected(sound ? times : std::nullopt, kForm, item)});
  } else if (key == "card") {
    constexpr std::string_view kForm = "a worker and a rate such as card=3:1Gbps";
    network.nics.push_back({.worker = expected(parse_worker(worker), kForm, item),
                            .bits_per_second = expected(parse_rate(amount), kForm, item)});
  } else if (key == "link") {
    network.links.push_back(parse_link(value, item));
  } else {
    throw UsageError(
        unknown_name("network option", key, {"jitter", "loss", "retry", "slow", "card", "link"}));
  }
}

void read_item(Network& network, std::string_view item) {
  for (const auto& [name, meaning] : kPresets) {
    if (item != name) continue;
    const auto preset = parse_network(meaning);
    network.bits_per_second = preset.bits_per_second;
    network.latency = preset.latency;
    return;
  }
  if (const auto rate = parse_rate(item)) {
    network.bits_per_second = *rate;
  } else if (const auto time = parse_time(item)) {
    network.latency = *time;
  } else if (item.find('=') != std::string_view::npos) {
    read_option(network, item);
  } else {
    throw UsageError(
        fmt::format("network: expected a rate such as 10Gbps, a latency such as 20us, an option "
                    "such as jitter=5us or one of 10gbe, 1gbe, 100mbps, wan; got '{}'",
                    item));
  }
}

}  // namespace

Network parse_network(std::string_view text) {
  Network network;
  while (true) {
    const auto comma = text.find(',');
    read_item(network, text.substr(0, comma));
    if (comma == std::string_view::npos) return network;
    text.remove_prefix(comma + 1);
  }
}

double parse_seconds(std::string_view text) {
  const auto time = parse_time(text);
  check<UsageError>(time.has_value(), "expected a time such as 5ms or 20us; got '{}'", text);
  return *time;
}

std::string to_string(const Network& n) {
  std::string text =
      quantity_text(n.bits_per_second, kRates) + "," + quantity_text(n.latency, kTimes);
  if (n.jitter > 0) text += ",jitter=" + quantity_text(n.jitter, kTimes);
  if (n.loss > 0) text += fmt::format(",loss={}", n.loss);
  if (n.retry) text += ",retry=" + quantity_text(*n.retry, kTimes);
  for (const auto& [worker, times] : n.slow) text += fmt::format(",slow={}:{}", worker, times);
  for (const auto& [worker, rate] : n.nics) {
    text += fmt::format(",card={}:{}", worker, quantity_text(rate, kRates));
  }
  for (const auto& each : n.links) {
    text += fmt::format(",link={}-{}:{}", each.a, each.b,
                        each.latency ? quantity_text(*each.latency, kTimes)
                                     : quantity_text(*each.bits_per_second, kRates));
  }
  return text;
}

// ---- time ---------------------------------------------------------------------------------------

bool NetworkNics::Transit::operator>(const Transit& other) const {
  return std::tie(first_byte, from, number) > std::tie(other.first_byte, other.from, other.number);
}

NetworkNics::NetworkNics(const Network& network, int workers, std::uint64_t seed)
    : network_(network),
      seed_(seed),
      slowness_(static_cast<std::size_t>(workers), 1),
      nics_(static_cast<std::size_t>(workers)) {
  const auto index = [&](int worker) {
    check<UsageError>(worker < workers, "network: expected a worker from 0 to {}; got {}",
                      workers - 1, worker);
    return static_cast<std::size_t>(worker);
  };
  for (auto& nic : nics_) nic.rate = network.bits_per_second / 8;
  for (const auto& [worker, times] : network.slow) slowness_[index(worker)] = times;
  for (const auto& [worker, rate] : network.nics) nics_[index(worker)].rate = rate / 8;
  for (const auto& each : network.links) {
    index(each.a);
    index(each.b);
  }
  if (network.jitter > 0 || network.loss > 0) last_first_byte_.resize(nics_.size() * nics_.size());
}

double NetworkNics::least_latency() const {
  double least = network_.latency;
  for (const auto& link : network_.links) least = std::min(least, link.latency.value_or(least));
  return least;
}

NetworkNics::Sent NetworkNics::send(int from, int to, std::size_t bytes, double now) {
  Nic& sender = nics_[static_cast<std::size_t>(from)];
  Nic& receiver = nics_[static_cast<std::size_t>(to)];
  double rate = std::min(sender.rate, receiver.rate);
  double latency = network_.latency;
  for (const auto& link : network_.links) {
    if (std::minmax(link.a, link.b) != std::minmax(from, to)) continue;
    if (link.bits_per_second) rate = std::min(rate, *link.bits_per_second / 8);
    if (link.latency) latency = *link.latency;
  }
  auto carried = static_cast<double>(bytes);
  const std::uint64_t number = sender.sent++;
  if (!last_first_byte_.empty()) {
    Philox random(seed_, {.purpose = Purpose::network,
                          .worker = static_cast<std::uint32_t>(from),
                          .step = static_cast<std::uint32_t>(number),
                          .tensor = static_cast<std::uint32_t>(to)});
    latency += network_.jitter * random.uniform_double();
    auto lost = draw_lost((bytes + kFrameBytes - 1) / kFrameBytes, random);
    for (; lost > 0; lost = draw_lost(lost, random)) {
      carried += static_cast<double>(lost * kFrameBytes);
      latency += network_.retry.value_or(2 * network_.latency);
    }
  }
  const double start = std::max(now, sender.sent_until);
  Transit transit{
      .first_byte = start + latency, .occupation = carried / rate, .from = from, .number = number};
  sender.sent_until = start + transit.occupation;
  if (!last_first_byte_.empty()) {
    double& last = last_first_byte_[static_cast<std::size_t>(from) * nics_.size() +
                                    static_cast<std::size_t>(to)];
    transit.first_byte = last = std::max(last, transit.first_byte);
  }
  const auto early = std::ranges::find(receiver.early, from, &Arrival::from);
  if (early != receiver.early.end()) {
    const double arrival = early->time;
    receiver.early.erase(early);
    return {.first_byte = transit.first_byte, .arrival = arrival};
  }
  receiver.coming.push(transit);
  return {.first_byte = transit.first_byte};
}

NetworkNics::Arrival NetworkNics::receive(int to) {
  Nic& nic = nics_[static_cast<std::size_t>(to)];
  internal_check(!nic.coming.empty(), "network: expected a packet in flight to worker {}; got none",
                 to);
  const Transit transit = nic.coming.top();
  nic.coming.pop();
  nic.got_until = std::max(nic.got_until, transit.first_byte) + transit.occupation;
  return {.from = transit.from, .time = nic.got_until};
}

void NetworkNics::serialize_nic(int worker, Archive& archive) {
  Nic& nic = nics_[static_cast<std::size_t>(worker)];
  archive.item("sent_until", nic.sent_until);
  archive.item("got_until", nic.got_until);
  archive.item("sent", nic.sent);
  if (last_first_byte_.empty()) return;
  const auto row = nics_.size() * static_cast<std::size_t>(worker);
  archive.item("last_first_byte", std::span(last_first_byte_).subspan(row, nics_.size()));
}

void NetworkNics::serialize(Archive& archive) {
  for (int worker = 0; worker < std::ssize(nics_); ++worker) {
    const auto scope = archive.scope(fmt::format("nic.{}", worker));
    serialize_nic(worker, archive);
    auto& coming = nics_[static_cast<std::size_t>(worker)].coming;
    std::vector<double> first_bytes, occupations;
    std::vector<std::uint64_t> senders, numbers;
    for (auto left = coming; !left.empty(); left.pop()) {
      first_bytes.push_back(left.top().first_byte);
      occupations.push_back(left.top().occupation);
      senders.push_back(static_cast<std::uint64_t>(left.top().from));
      numbers.push_back(left.top().number);
    }
    archive.item("coming.first_bytes", first_bytes);
    archive.item("coming.occupations", occupations);
    archive.item("coming.senders", senders);
    archive.item("coming.numbers", numbers);
    if (!archive.loading()) continue;
    check(occupations.size() == first_bytes.size() && senders.size() == first_bytes.size() &&
              numbers.size() == first_bytes.size(),
          "network: expected as many occupations, senders and numbers as first bytes");
    coming = {};
    for (std::size_t i = 0; i < first_bytes.size(); ++i) {
      check(senders[i] < nics_.size(), "network: expected a sender below {}; got {}", nics_.size(),
            senders[i]);
      coming.push({.first_byte = first_bytes[i],
                   .occupation = occupations[i],
                   .from = static_cast<int>(senders[i]),
                   .number = numbers[i]});
    }
  }
}

void NetworkNics::serialize(int worker, Archive& archive, std::span<const Arrival> early) {
  Nic& nic = nics_[static_cast<std::size_t>(worker)];
  serialize_nic(worker, archive);
  std::vector<std::uint64_t> senders;
  std::vector<double> times;
  for (const auto& [from, time] : early) {
    senders.push_back(static_cast<std::uint64_t>(from));
    times.push_back(time);
  }
  archive.item("early.senders", senders);
  archive.item("early.times", times);
  if (!archive.loading()) return;
  check(senders.size() == times.size(), "network: expected as many senders as times; got {} and {}",
        senders.size(), times.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    check(senders[i] < nics_.size(), "network: expected a sender below {}; got {}", nics_.size(),
          senders[i]);
    nic.early.push_back({.from = static_cast<int>(senders[i]), .time = times[i]});
  }
}

// The number of frames that are lost. Draws the gaps between lost frames, which are geometric.
std::uint64_t NetworkNics::draw_lost(std::uint64_t frames, Philox& random) const {
  if (network_.loss <= 0) return 0;
  std::uint64_t lost = 0;
  for (double at = 0;; at += 1) {
    at += std::floor(std::log1p(-random.uniform_double()) / std::log1p(-network_.loss));
    if (at >= static_cast<double>(frames)) return lost;
    ++lost;
  }
}

}  // namespace terse
