// A run's result as JSON: the keys that other tools read.
#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <string>

#include "examples/support/training.hpp"

namespace terse::run {

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
  return json;
}

nlohmann::json to_json(const RunResult& r, const RunConfig& config) {
  nlohmann::json phases;
  for (std::size_t i = 0; i < kPhases; ++i) {
    phases[std::string(kPhaseNames[i])] = r.step_times.seconds[i] * 1e3;
  }
  nlohmann::json curve = nlohmann::json::array();
  for (const auto& e : r.evaluations) curve.push_back(to_json(e));
  nlohmann::json json = to_json(r.evaluations.back());
  json.erase("step");
  json.erase("epoch");
  json.update({{"train_loss", r.train_loss},
               {"steps", r.steps},
               {"steps_per_epoch", r.steps_per_epoch},
               {"parameters", r.parameters},
               {"message_bytes", r.message_bytes},
               {"bytes_sent_per_worker", r.bytes_sent_per_worker},
               {"bytes_sent", r.bytes_sent},
               {"bytes_uncompressed", r.bytes_uncompressed},
               {"seconds", r.seconds},
               {"virtual_seconds", nullptr},  // there is no network model in this run
               {"samples_per_second", r.samples_per_second},
               {"milliseconds_per_step", phases},
               {"model_hash", fmt::format("{:016x}", r.model_hash)},
               {"state_hash", fmt::format("{:016x}", r.state_hash)},
               {"evaluations", curve},
               {"config", to_json(config)}});
  if (!r.densities.empty()) {
    auto densities = nlohmann::json::array();
    for (const auto& report : r.densities) densities.push_back(to_json(report));
    json["densities"] = densities;
  }
  return json;
}

}  // namespace terse::run
