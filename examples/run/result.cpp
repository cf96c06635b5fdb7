#include "examples/run/result.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tersegrad/comm/setup/non_finite.hpp"

namespace terse::run {
namespace {

nlohmann::json milliseconds(const PartTimes& times) {
  nlohmann::json parts;
  for (std::size_t i = 0; i < kParts; ++i) {
    parts[std::string(kPartNames[i])] = times.seconds[i] * 1e3;
  }
  return parts;
}

}  // namespace

void check_finite(const RunResult& r) {
  if (r.finite) return;
  throw NonFiniteGradient(
      "the model has diverged: its test loss, or a parameter, is infinite or NaN; use a smaller "
      "learning rate",
      static_cast<std::uint64_t>(r.steps));
}

nlohmann::json to_json(const Evaluation& e) {
  nlohmann::json json = {{"step", e.step},
                         {"epoch", e.epoch},
                         {"train_loss", e.train_loss},
                         {"test_loss", e.test_loss},
                         {"bytes_sent_per_worker", e.bytes_sent_per_worker}};
  if (e.metric == Metric::accuracy) {
    json["test_accuracy"] = e.test_accuracy;
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
