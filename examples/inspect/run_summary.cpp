#include "examples/inspect/run_summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "examples/run/checkpoint.hpp"
#include "examples/run/config.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/result.hpp"
#include "examples/run/text.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/files.hpp"
#include "tersegrad/inspect/json.hpp"
#include "tersegrad/inspect/run_folder.hpp"

namespace terse::run {
namespace {

void add_line(std::string_view line, LogSummary& log) {
  auto json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) {
    ++log.unreadable;
    return;
  }
  log.interrupted = nullptr;
  if (json.contains("lr")) {
    ++log.reports;
    log.last_report = std::move(json);
  } else if (evaluation_split(json)) {
    ++log.evaluations;
    log.last_evaluation = std::move(json);
  } else {
    ++log.others;
    if (json.contains("dropped")) log.dropped.push_back(json["dropped"]);
    if (json.contains("interrupted")) log.interrupted = json["interrupted"];
  }
}

LogSummary read_log(const std::filesystem::path& file) {
  const auto bytes = read_file(file);
  LogSummary log{.bytes = bytes.size()};
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    add_line(text.substr(0, end), log);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return log;
}

CheckpointSummary read_checkpoint(const std::filesystem::path& file) {
  std::error_code ignored;
  CheckpointSummary summary{.file = file.filename().string(),
                            .bytes = std::filesystem::file_size(file, ignored)};
  try {
    summary.step = Checkpoint(file).step();
  } catch (const Error& error) {
    const std::string_view damage = error.what();
    const auto prefix = fmt::format("'{}': ", file.string());
    summary.damage = damage.substr(damage.starts_with(prefix) ? prefix.size() : 0);
  }
  return summary;
}

// A value of an object as text, without quotes.
std::string value_text(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return "unknown";
  return printable(found->is_string() ? found->get<std::string>() : json_text(*found));
}

// Infinite values and NaN are null in a log.
std::string number_of(const nlohmann::json& object, const char* key, int digits) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return "not finite";
  return number_text(found->get<double>(), digits, 10);
}

std::string bytes_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || !found->is_number() ? "unknown"
                                                      : bytes_text(found->get<double>());
}

// A line of the summary, wrapped.
std::string entry_text(std::string_view label, const std::string& value) {
  constexpr std::size_t kLabel = 13, kWidth = 80 - kLabel;
  std::string text;
  for (const auto& line : wrapped(value, kWidth)) {
    text += fmt::format("{:<{}}{}\n", text.empty() ? label : "", kLabel, line);
  }
  return text;
}

std::string report_text(const nlohmann::json& r) {
  return fmt::format("step {}: loss {}, lr {}, {} sent by worker 0", value_text(r, "step"),
                     number_of(r, "loss", 4), value_text(r, "lr"), bytes_of(r, "bytes_sent"));
}

std::string evaluation_text(const nlohmann::json& e) {
  const auto split = evaluation_split(e).value_or(Split::test);
  std::string score;
  if (const auto found = e.find(accuracy_key(split)); found != e.end() && found->is_number()) {
    score = fmt::format("accuracy {:.2f} %", 100 * found->get<double>());
  } else {
    score = "perplexity " + number_of(e, "perplexity", 2);
  }
  return fmt::format("step {}: {} {}, loss {}, {} sent per worker", value_text(e, "step"),
                     split_text(split), score, number_of(e, loss_key(split).c_str(), 4),
                     bytes_of(e, "bytes_sent_per_worker"));
}

std::string log_text(const LogSummary& log) {
  const auto count = [](std::int64_t n, std::string_view noun) {
    return count_text(static_cast<std::size_t>(n), noun);
  };
  auto counts =
      fmt::format("{}, {}: {}, {}, {}",
                  count(log.reports + log.evaluations + log.others + log.unreadable, "line"),
                  bytes_text(static_cast<double>(log.bytes)), count(log.reports, "report"),
                  count(log.evaluations, "evaluation"), count(log.others, "other"));
  if (log.unreadable > 0) counts += fmt::format(", {} unreadable", log.unreadable);
  auto text = entry_text("log", counts);
  if (!log.last_report.is_null()) text += entry_text("last report", report_text(log.last_report));
  if (!log.last_evaluation.is_null()) {
    text += entry_text("evaluated", evaluation_text(log.last_evaluation));
  }
  for (const auto& each : log.dropped) {
    text += entry_text("left", fmt::format("worker {} at step {}: {}", value_text(each, "worker"),
                                           value_text(each, "step"), value_text(each, "error")));
  }
  if (log.interrupted.is_string()) {
    text += entry_text("interrupted", printable(log.interrupted.get<std::string>()));
  }
  return text;
}

std::string resumes_text(const nlohmann::json& config) {
  std::string text;
  for (const auto& resume : config.value("resumes", nlohmann::json::array())) {
    if (!resume.is_object()) continue;
    std::string changes;
    const auto changed = resume.value("changed", nlohmann::json::object());
    for (const auto& [key, values] : changed.items()) {
      if (!values.is_array() || values.size() != 2) continue;
      changes += fmt::format("{}{} {} instead of {}", changes.empty() ? ": " : ", ", key,
                             json_text(values[1]), json_text(values[0]));
    }
    text += entry_text(
        "resumed", fmt::format("after step {}{}", value_text(resume, "step"), printable(changes)));
  }
  return text;
}

}  // namespace

std::int64_t RunSummary::steps() const {
  std::int64_t most = 0;
  const auto add = [&](const nlohmann::json& line) {
    if (line.is_object() && line.contains("step") && line["step"].is_number_integer()) {
      most = std::max(most, line["step"].get<std::int64_t>());
    }
  };
  if (log) {
    add(log->last_report);
    add(log->last_evaluation);
  }
  for (const auto& checkpoint : checkpoints) most = std::max(most, checkpoint.step.value_or(0));
  return most;
}

RunSummary summarize_run(const std::filesystem::path& folder) {
  RunSummary summary{
      .folder = folder, .config = read_config_file(folder), .log = {}, .checkpoints = {}};
  std::error_code ignored;
  if (std::filesystem::exists(folder / kLogFile, ignored)) {
    summary.log = read_log(folder / kLogFile);
  }
  for (const char* file : {kCheckpointFile, kPreviousCheckpointFile}) {
    if (!std::filesystem::exists(folder / file, ignored)) continue;
    summary.checkpoints.push_back(read_checkpoint(folder / file));
  }
  return summary;
}

std::string to_text(const RunSummary& summary) {
  const auto& c = summary.config;
  const auto value = [&](const char* key) { return value_text(c, key); };
  auto text = fmt::format("{}: a run of {}\n", summary.folder.string(),
                          count_text(static_cast<std::size_t>(summary.steps()), "step"));
  text += entry_text("model", value("model"));
  text += entry_text("data", value("data"));
  text += entry_text("workers",
                     fmt::format("{}, topology {}, transport {}, batch {} each", value("workers"),
                                 value("topology"), value("transport"), value("batch")));
  text += entry_text("compressor", value("compressor"));
  text += entry_text("optimizer", value("optimizer"));
  text += entry_text("lr", fmt::format("{}, schedule {}", value("lr"), value("schedule")));
  text += entry_text("planned", c.value("steps", nlohmann::json()) == 0
                                    ? fmt::format("{} epochs", value("epochs"))
                                    : fmt::format("{} steps", value("steps")));
  text += entry_text("seed", value("seed"));
  text += resumes_text(c);
  text += summary.log ? log_text(*summary.log) : entry_text("log", "none");
  if (summary.checkpoints.empty()) text += entry_text("checkpoints", "none");
  for (const auto& each : summary.checkpoints) {
    const auto size = bytes_text(static_cast<double>(each.bytes));
    text += entry_text(
        &each == &summary.checkpoints.front() ? "checkpoints" : "",
        each.step ? fmt::format("{}: step {}, {}, sound", each.file, *each.step, size)
                  : fmt::format("{}: {}, damaged: {}", each.file, size, printable(each.damage)));
  }
  return text;
}

nlohmann::json to_json(const RunSummary& summary) {
  auto checkpoints = nlohmann::json::array();
  for (const auto& each : summary.checkpoints) {
    nlohmann::json json = {
        {"file", each.file}, {"bytes", each.bytes}, {"sound", each.step.has_value()}};
    if (each.step) {
      json["step"] = *each.step;
    } else {
      json["damage"] = each.damage;
    }
    checkpoints.push_back(std::move(json));
  }
  nlohmann::json log;
  if (summary.log) {
    log = {{"bytes", summary.log->bytes},
           {"reports", summary.log->reports},
           {"evaluations", summary.log->evaluations},
           {"others", summary.log->others},
           {"unreadable", summary.log->unreadable},
           {"last_report", summary.log->last_report},
           {"last_evaluation", summary.log->last_evaluation},
           {"dropped", summary.log->dropped},
           {"interrupted", summary.log->interrupted}};
  }
  return {{"kind", "run"},
          {"folder", summary.folder.string()},
          {"steps", summary.steps()},
          {"config", summary.config},
          {"log", std::move(log)},
          {"checkpoints", std::move(checkpoints)}};
}

}  // namespace terse::run
