#include "examples/run/log_line.hpp"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "examples/run/density_probe.hpp"
#include "examples/run/result.hpp"

namespace terse::run {

nlohmann::json to_json(const StepReport& r) {
  nlohmann::json time = {{"samples_per_second", r.samples_per_second}, {"seconds", r.seconds}};
  for (std::size_t i = 0; i < kParts; ++i) time[std::string(kPartNames[i])] = r.times.seconds[i];
  if (r.virtual_seconds) {
    time["virtual_seconds"] = *r.virtual_seconds;
    for (std::size_t i = 0; i < kParts; ++i) {
      time["virtual"][std::string(kPartNames[i])] = r.virtual_times.seconds[i];
    }
  }
  if (r.hidden_seconds > 0) time["hidden"] = r.hidden_seconds;
  nlohmann::json line = {{"step", r.step},
                         {"loss", r.loss},
                         {"lr", r.lr},
                         {"message_bytes", r.message_bytes},
                         {"bytes_sent", r.bytes_sent},
                         {"skipped_steps", r.skipped_steps},
                         {"time", time}};
  if (r.mean_staleness) line["mean_staleness"] = *r.mean_staleness;
  return line;
}

Listener with_log(Listener listener, std::function<void(const nlohmann::json& line)> log) {
  Listener logged = listener;
  logged.on_step = [log, next = std::move(listener.on_step)](const StepReport& r) {
    log(to_json(r));
    if (next) next(r);
  };
  logged.on_evaluation = [log, next = std::move(listener.on_evaluation)](const Evaluation& e) {
    log(to_json(e));
    if (next) next(e);
  };
  logged.on_density = [log, next = std::move(listener.on_density)](const DensityReport& d) {
    log(to_json(d));
    if (next) next(d);
  };
  logged.on_health = [log, next = std::move(listener.on_health)](const HealthReport& h) {
    log(to_json(h));
    if (next) next(h);
  };
  logged.on_staleness = [log](const StalenessReport& s) {
    log({{"step", s.step}, {"staleness", s.histogram}});
  };
  logged.on_push = [log](const PushReport& p) {
    log({{"pushes", {{p.worker, p.pulled, p.pushed, p.staleness}}}});
  };
  logged.on_drop = [log, next = std::move(listener.on_drop)](const DroppedWorker& d,
                                                             std::string_view data) {
    log({{"dropped", to_json(d)}});
    if (next) next(d, data);
  };
  return logged;
}

}  // namespace terse::run
