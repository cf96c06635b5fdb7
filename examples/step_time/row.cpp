#include "examples/step_time/row.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "examples/run/progress.hpp"

namespace terse::run {
namespace {

double bytes_sent_per_worker(const RunConfig& config, const StepTime& time) {
  return static_cast<double>(time.sent.bytes_sent) / static_cast<double>(config.workers);
}

}  // namespace

std::string row_head() {
  return fmt::format("{:<21}{:>8}{:>12}{:>9}{:>9}{:>7}{:>7}{:>7}\n", "ms per step", "workers",
                     "bytes sent", "step", "exchange", "encode", "decode", "hidden");
}

std::string row_text(const RunConfig& config, const StepTime& time) {
  return fmt::format("{:<21}{:>8}{:>12}{:>9.2f}{:>9.2f}{:>7.2f}{:>7.2f}{:>7.2f}\n",
                     config.compressor, config.workers,
                     bytes_text(bytes_sent_per_worker(config, time)), 1e3 * time.seconds,
                     1e3 * time.phases[Phase::exchange], 1e3 * time.phases[Phase::encode],
                     1e3 * time.phases[Phase::decode], 1e3 * time.hidden_seconds);
}

nlohmann::json row_json(const RunConfig& config, const StepTime& time) {
  return {{"method", config.compressor},
          {"workers", config.workers},
          {"network", *config.network},
          {"bytes_sent_per_worker", bytes_sent_per_worker(config, time)},
          {"milliseconds", 1e3 * time.seconds},
          {"exchange_ms", 1e3 * time.phases[Phase::exchange]},
          {"encode_ms", 1e3 * time.phases[Phase::encode]},
          {"decode_ms", 1e3 * time.phases[Phase::decode]},
          {"hidden_ms", 1e3 * time.hidden_seconds}};
}

}  // namespace terse::run
