#include "examples/report/run_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

#include "examples/report/command.hpp"
#include "examples/report/log_data.hpp"
#include "examples/report/packets.hpp"
#include "examples/report/short_numbers.hpp"
#include "examples/run/config.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/inspect/run_folder.hpp"

namespace terse::run {
namespace {

using Json = nlohmann::json;

LogData read_log_of(const std::filesystem::path& folder, const PageLimits& limits) {
  const auto file = folder / kLogFile;
  std::error_code none;
  check(std::filesystem::is_regular_file(file, none),
        "'{}': expected the folder of a run, with the files {} and {}; {} is missing",
        folder.string(), kConfigFile, kLogFile, kLogFile);
  std::ifstream in(file, std::ios::binary);
  check(in.is_open(), "'{}': cannot be read", file.string());
  return read_log_data(in, file.string(), folder.string(), limits);
}

// The columns of points as arrays by name; a column without a value is null.
template <std::size_t kColumns>
Json columns_json(const std::vector<CurvePoint>& points,
                  const std::array<std::string_view, kColumns>& names) {
  Json json;
  for (std::size_t column = 0; column < kColumns; ++column) {
    auto values = Json::array();
    bool known = points.empty();
    for (const auto& point : points) {
      values.push_back(point.cells[column]);
      known = known || std::isfinite(point.cells[column]);
    }
    json[std::string(names[column])] = known ? std::move(values) : Json();
  }
  return json;
}

Json steps_json(const LogData& log, double workers_in_bytes) {
  auto points = log.steps;
  for (auto& point : points) point.cells[LogData::kBytes] /= workers_in_bytes;
  auto json = columns_json(points, std::array<std::string_view, LogData::kStepColumns>{
                                       "step", "loss", "lr", "bytes", "wall", "virtual"});
  auto& epochs = json["epoch"];
  if (log.epochs_per_step == 0) return json;
  epochs = Json::array();
  for (const auto& point : points) {
    epochs.push_back(point.cells[LogData::kStep] * log.epochs_per_step);
  }
  return json;
}

Json evaluations_json(const LogData& log) {
  return columns_json(log.evaluations, std::array<std::string_view, LogData::kTestColumns>{
                                           "step", "epoch", "score", "test_loss", "train_loss",
                                           "bytes", "wall", "virtual"});
}

Json times_json(const std::optional<MeanTimes>& times) {
  if (!times) return {};
  Json json = {{"hidden", times->hidden}};
  for (std::size_t i = 0; i < kParts; ++i) {
    json[std::string(kPartNames[i])] = times->parts.seconds[i];
  }
  return json;
}

// As many of these lines, evenly spaced, as have so many bytes together.
Json lines_json(std::vector<Json> lines, std::size_t most_bytes) {
  constexpr int kDigits = 4;
  auto kept = Json::array();
  std::size_t bytes = 0;
  for (auto& line : lines) {
    shorten_numbers(line, kDigits);
    bytes += json_text(line).size();
  }
  const std::size_t stride = std::max<std::size_t>(1, (bytes + most_bytes - 1) / most_bytes);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if ((lines.size() - 1 - i) % stride == 0) kept.push_back(std::move(lines[i]));
  }
  return kept;
}

// The run's configuration, if this version can read it.
std::optional<RunConfig> config_of(const std::string& run, const Json& config,
                                   std::vector<std::string>& notes) {
  try {
    auto c = config_from_json(config);
    c.threads = 1;
    complete(c);
    return c;
  } catch (const Error& error) {
    notes.push_back(
        fmt::format("{}: config.json cannot be used by this version: {}", run, error.what()));
    return std::nullopt;
  }
}

void note_unknown_keys(const std::string& run, const Json& config,
                       std::vector<std::string>& notes) {
  const auto unknown = unknown_keys(config);
  if (unknown.empty()) return;
  notes.push_back(
      fmt::format("{}: config.json has keys that this version does not know, so it may be from a "
                  "newer version: {}",
                  run, fmt::join(unknown, ", ")));
}

// Adds what needs the shapes of the model.
void add_traffic(const RunConfig& config, const LogData& log, ModelShapes& models,
                 const PageLimits& limits, const std::filesystem::path& folder, RunData& run) {
  std::vector<MatrixShape> shapes;
  try {
    shapes = models.of(config);
    auto traffic = traffic_of(config, shapes, log);
    run.json["exchange"] = std::move(traffic.exchange);
    run.json["bytes"] = std::move(traffic.bytes);
  } catch (const Error& error) {
    run.notes.push_back(
        fmt::format("{}: the sizes of packets are left out: {}", run.name, error.what()));
  }
  run.json["packets"] = recorded_packets(folder, config.compressor, shapes, limits, run.notes);
}

Json staleness_json(const LogData& log) {
  if (!log.staleness && log.pushes.empty()) return {};
  return {{"histogram", log.staleness.value_or(Json::array())}, {"pushes", log.pushes}};
}

}  // namespace

RunData read_run_data(const std::filesystem::path& folder, const PageLimits& limits,
                      ModelShapes& models) {
  RunData run{.name = folder.string(), .config = read_config_file(folder), .json = {}, .notes = {}};
  auto log = read_log_of(folder, limits);
  run.notes = std::move(log.notes);
  note_unknown_keys(run.name, run.config, run.notes);
  const auto config = config_of(run.name, run.config, run.notes);
  const bool is_async = config && config->is_async();  // its log has the bytes of all workers
  run.json = {{"name", run.name},
              {"command", train_command(run.config)},
              {"config", run.config},
              {"metric", log.is_perplexity.value_or(false) ? "perplexity" : "accuracy"},
              {"split", to_string(log.split)},
              {"workers", run.config.value("workers", Json())},
              {"topology", run.config.value("topology", Json())},
              {"steps", steps_json(log, is_async ? static_cast<double>(config->workers) : 1)},
              {"evaluations", evaluations_json(log)},
              {"times", times_json(log.times)},
              {"virtual_times", times_json(log.virtual_times)},
              {"exchange", nullptr},
              {"bytes", nullptr},
              {"staleness", staleness_json(log)},
              {"packets", Json::array()}};
  if (!log.is_perplexity) run.json["metric"] = nullptr;
  if (config) add_traffic(*config, log, models, limits, folder, run);
  constexpr int kDigits = 6;
  shorten_numbers(run.json, kDigits);
  run.json["config"] = run.config;
  run.json["health"] = lines_json(std::move(log.health), limits.health_bytes);
  run.json["density"] = lines_json(std::move(log.density), limits.health_bytes);
  return run;
}

}  // namespace terse::run
