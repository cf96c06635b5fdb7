#include "examples/run/result.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "tersegrad/comm/setup/non_finite.hpp"
#include "tersegrad/core/archive.hpp"

namespace terse::run {
namespace {

void serialize(Archive& archive, Evaluation& e) {
  archive.item("step", e.step);
  archive.item("epoch", e.epoch);
  archive.item("train_loss", e.train_loss);
  archive.item("test_loss", e.loss);
  archive.item("test_accuracy", e.accuracy);
  archive.item("bytes_sent_per_worker", e.bytes_sent_per_worker);
  std::vector<double> seconds;
  if (e.virtual_seconds) seconds.push_back(*e.virtual_seconds);
  archive.item("virtual_seconds", seconds);
  if (!seconds.empty()) e.virtual_seconds = seconds.front();
}

void serialize_text(Archive& archive, std::string_view name, std::string& text) {
  const auto present = std::as_bytes(std::span(text));
  std::vector<std::byte> bytes(present.begin(), present.end());
  archive.item(name, bytes);
  text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void serialize(Archive& archive, DroppedWorker& dropped) {
  auto worker = static_cast<std::int64_t>(dropped.worker);
  archive.item("worker", worker);
  dropped.worker = static_cast<int>(worker);
  archive.item("step", dropped.step);
  serialize_text(archive, "error", dropped.error);
}

template <class T>
void serialize(Archive& archive, std::string_view name, std::vector<T>& items);

void serialize(Archive& archive, GradientReport& report) {
  serialize_text(archive, "name", report.name);
  archive.item("size", report.size);
  const auto optional = [&](std::string_view name, std::optional<double>& value) {
    std::vector<double> values;
    if (value) values.push_back(*value);
    archive.item(name, values);
    if (!values.empty()) value = values.front();
  };
  optional("density_mean", report.density_mean);
  optional("density_noise", report.density_noise);
  archive.item("variance", report.variance);
  archive.item("snr_mean", report.snr_mean);
  archive.item("snr_max", report.snr_max);
  archive.item("snr_below", report.snr_below);
  archive.item("below_mean", report.below_mean);
  archive.item("skewness", report.skewness);
}

void serialize(Archive& archive, DensityReport& report) {
  archive.item("step", report.step);
  archive.item("batches", report.batches);
  archive.item("epoch", report.epoch);
  serialize(archive, "parts", report.parts);
}

template <class T>
void serialize(Archive& archive, std::string_view name, std::vector<T>& items) {
  std::uint64_t count = items.size();
  const auto scope = archive.scope(name);
  archive.item("count", count);
  if (archive.loading()) items.clear();
  for (std::uint64_t i = 0; i < count; ++i) {
    if (archive.loading()) items.emplace_back();
    const auto of_item = archive.scope(std::to_string(i));
    serialize(archive, items[i]);
  }
}

nlohmann::json milliseconds(const PartTimes& times) {
  nlohmann::json parts;
  for (std::size_t i = 0; i < kParts; ++i) {
    parts[std::string(kPartNames[i])] = times.seconds[i] * 1e3;
  }
  return parts;
}

}  // namespace

void RunResult::serialize_past(Archive& archive, Split split, Metric metric) {
  serialize(archive, "evaluations", evaluations);
  for (auto& each : evaluations) {
    each.split = split;
    each.metric = metric;
  }
  serialize(archive, "dropped", dropped);
  serialize(archive, "densities", densities);
}

void check_finite(const RunResult& r) {
  if (r.finite) return;
  throw NonFiniteGradient(
      "the model has diverged: its loss in the last evaluation, or a parameter, is infinite or "
      "NaN; use a smaller "
      "learning rate",
      static_cast<std::uint64_t>(r.steps));
}

const char* split_text(Split split) {
  return split == Split::test ? "test" : "validation";
}

std::string loss_key(Split split) {
  return fmt::format("{}_loss", to_string(split));
}

std::string accuracy_key(Split split) {
  return fmt::format("{}_accuracy", to_string(split));
}

std::optional<Split> evaluation_split(const nlohmann::json& line) {
  for (const auto split : {Split::test, Split::valid}) {
    if (line.contains(loss_key(split))) return split;
  }
  return std::nullopt;
}

nlohmann::json to_json(const Evaluation& e) {
  nlohmann::json json = {{"step", e.step},
                         {"epoch", e.epoch},
                         {"train_loss", e.train_loss},
                         {loss_key(e.split), e.loss},
                         {"bytes_sent_per_worker", e.bytes_sent_per_worker}};
  if (e.metric == Metric::accuracy) {
    json[accuracy_key(e.split)] = e.accuracy;
  } else {
    json["perplexity"] = e.score();
  }
  if (e.virtual_seconds) json["time"] = {{"virtual_seconds", *e.virtual_seconds}};
  return json;
}

nlohmann::json to_json(const DroppedWorker& dropped) {
  return {{"worker", dropped.worker}, {"step", dropped.step}, {"error", dropped.error}};
}

namespace {

// A second of drawn durations is the mean one; synthetic delays have no clock.
void add_asynchrony(const AsyncResult& r, const RunConfig& config, nlohmann::json& json) {
  auto histogram = nlohmann::json::array();  // pairs of a staleness and how many pushes had it
  const auto counts = r.staleness.histogram();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) histogram.push_back({i, counts[i]});
  }
  std::uint64_t pulled = 0;
  for (const auto& traffic : r.traffic) pulled += traffic.bytes_down;
  json.update({{"updates", r.updates},
               {"mean_staleness", r.staleness.mean()},
               {"max_staleness", r.staleness.most()},
               {"staleness_histogram", histogram},
               {"dropped_pushes", r.dropped},
               {"bytes_pulled_per_worker",
                static_cast<double>(pulled) / static_cast<double>(r.traffic.size())}});
  if (config.async.clock == AsyncClock::virtual_time && config.async.delays.empty()) {
    json["virtual_seconds"] = r.seconds;
  }
}

}  // namespace

nlohmann::json to_json(const RunResult& r, const RunConfig& config) {
  nlohmann::json curve = nlohmann::json::array();
  for (const auto& e : r.evaluations) curve.push_back(to_json(e));
  nlohmann::json json = to_json(r.evaluations.back());
  json.erase("step");
  json.erase("epoch");
  json.erase("time");
  json.update({{"train_loss", r.train_loss},
               {"steps", r.steps},
               {"skipped_steps", r.skipped_steps},
               {"steps_per_epoch", r.steps_per_epoch},
               {"parameters", r.parameters},
               {"message_bytes", r.message_bytes},
               {"bytes_sent_per_worker", r.bytes_sent_per_worker},
               {"bytes_sent", r.bytes_sent},
               {"bytes_uncompressed", r.bytes_uncompressed},
               {"seconds", r.seconds},
               {"virtual_seconds", nullptr},  // without a modelled network
               {"samples_per_second", r.samples_per_second},
               {"milliseconds_per_step", milliseconds(r.step_times)},
               {"buckets", r.buckets},
               {"hidden_milliseconds_per_step", 1e3 * r.hidden_seconds},
               {"model_hash", fmt::format("{:016x}", r.model_hash)},
               {"state_hash", fmt::format("{:016x}", r.state_hash)},
               {"evaluations", curve},
               {"config", to_json(config)}});
  if (r.virtual_seconds) {
    json["virtual_seconds"] = *r.virtual_seconds;
    json["virtual_milliseconds_per_step"] = milliseconds(r.virtual_step_times);
    json["samples_per_virtual_second"] = r.samples_per_virtual_second;
  }
  if (r.async) add_asynchrony(*r.async, config, json);
  if (!r.dropped.empty()) {
    auto dropped = nlohmann::json::array();
    for (const auto& each : r.dropped) dropped.push_back(to_json(each));
    json["dropped_workers"] = dropped;
  }
  if (!r.densities.empty()) {
    auto densities = nlohmann::json::array();
    for (const auto& report : r.densities) densities.push_back(to_json(report));
    json["densities"] = densities;
  }
  return json;
}

}  // namespace terse::run
