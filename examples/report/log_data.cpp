#include "examples/report/log_data.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include "examples/report/line_reader.hpp"
#include "examples/report/step_line.hpp"
#include "examples/run/result.hpp"
#include "examples/run/text.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {
namespace {

using Json = nlohmann::json;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// A number of an object; NaN if there is none, as for a value that was not finite.
double number_at(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : kUnknown;
}

// An object of an object; an empty one if there is none.
const Json& object_at(const Json& object, const char* key) {
  static const Json none = Json::object();
  const auto found = object.find(key);
  return found != object.end() && found->is_object() ? *found : none;
}

// Sums of a report's times, which are those since the report before.
class TimeSums {
 public:
  void add(const PartTimes& parts, double hidden, double step) {
    sum_.parts = sum_.parts + parts;
    sum_.hidden += hidden;
    if (first_step_ > 0) return;
    first_step_ = step;
    first_ = sum_;
  }
  // Of the first report alone if there are no others. Empty if no time was recorded.
  std::optional<MeanTimes> mean(double last_step) const {
    const bool one = last_step <= first_step_;
    const double steps = one ? last_step : last_step - first_step_;
    MeanTimes mean{.parts = one ? sum_.parts : sum_.parts - first_.parts,
                   .hidden = one ? sum_.hidden : sum_.hidden - first_.hidden};
    for (auto& seconds : mean.parts.seconds) seconds /= steps;
    mean.hidden /= steps;
    const bool any = std::ranges::any_of(mean.parts.seconds, [](double s) { return s > 0; });
    return any && steps > 0 ? std::optional(mean) : std::nullopt;
  }

 private:
  MeanTimes sum_, first_;
  double first_step_ = 0;
};

class LogCollector {
 public:
  LogCollector(const std::string& run, const PageLimits& limits)
      : run_(run),
        limits_(limits),
        steps_(limits.points),
        evaluations_(limits.evaluations),
        health_(limits.health_lines),
        density_(limits.health_lines) {}

  void add(const StepLine& line);
  void add(Json&& line) {
    interruption_.clear();  // a line after it: the run was continued
    if (line.contains("lr")) {
      add(step_line_of(line));
    } else if (const auto split = evaluation_split(line)) {
      add_evaluation(line, *split);
    } else if (object_at(line, "health").contains("tensors")) {
      health_.add(std::move(line));
    } else if (line.contains("density")) {
      density_.add(std::move(line));
    } else {
      add_other(line);
    }
  }
  LogData finish();

 private:
  void add_evaluation(const Json& line, Split split);
  void add_other(const Json& line);
  void add_note(std::string note) {
    constexpr std::size_t kMostNotes = 20;
    if (log_.notes.size() < kMostNotes) log_.notes.push_back(std::move(note));
  }
  double wall_at(double step) const;

  const std::string& run_;
  const PageLimits& limits_;
  LogData log_;
  Decimation steps_, evaluations_;
  Thinning<Json> health_, density_;
  TimeSums times_, virtual_times_;
  double parts_sum_ = 0;                      // seconds of all parts so far
  double step_ = 0, wall_ = 0;                // of the latest report
  double former_step_ = 0, former_wall_ = 0;  // of the one before
  std::string interruption_;
};

void LogCollector::add(const StepLine& line) {
  interruption_.clear();
  if (std::isnan(line.step)) return;
  const double hidden = std::isnan(line.hidden) ? 0 : line.hidden;
  const double real_hidden = line.has_virtual_times ? 0 : hidden;
  times_.add(line.times, real_hidden, line.step);
  if (line.has_virtual_times) virtual_times_.add(line.virtual_times, hidden, line.step);
  for (const double seconds : line.times.seconds) parts_sum_ += seconds;
  parts_sum_ -= real_hidden;
  former_step_ = std::exchange(step_, line.step);
  // Logs of older versions lack the wall clock; it is then the sum of worker 0's parts.
  former_wall_ = std::exchange(wall_, std::isnan(line.seconds) ? parts_sum_ : line.seconds);
  log_.last_step = std::max(log_.last_step, line.step);
  if (!std::isnan(line.message_bytes)) log_.message_bytes = line.message_bytes;
  steps_.add(
      {.value = line.loss,
       .cells = {line.step, line.loss, line.lr, line.bytes_sent, wall_, line.virtual_seconds}});
}

// A test does not end with a report, and its time is not recorded: the clock goes on as it did
// between the latest two reports.
double LogCollector::wall_at(double step) const {
  if (step_ == 0) return kUnknown;
  const double steps = step_ - former_step_;
  const double rate = steps > 0 ? (wall_ - former_wall_) / steps : 0;
  return wall_ + std::max(0.0, step - step_) * rate;
}

void LogCollector::add_evaluation(const Json& line, Split split) {
  const double step = number_at(line, "step"), epoch = number_at(line, "epoch");
  if (std::isnan(step)) return;
  log_.last_step = std::max(log_.last_step, step);
  if (step > 0 && epoch > 0) log_.epochs_per_step = epoch / step;
  const bool perplexity = line.contains("perplexity");
  log_.is_perplexity = perplexity;
  log_.split = split;
  const double score =
      perplexity ? number_at(line, "perplexity") : 100 * number_at(line, accuracy_key(split));
  evaluations_.add(
      {.value = score,
       .cells = {step, epoch, score, number_at(line, loss_key(split)),
                 number_at(line, "train_loss"), number_at(line, "bytes_sent_per_worker"),
                 wall_at(step), number_at(object_at(line, "time"), "virtual_seconds")}});
}

void LogCollector::add_other(const Json& line) {
  const auto text_at = [](const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? printable(found->get<std::string>())
                                                       : std::string();
  };
  if (const auto counts = line.find("staleness"); counts != line.end() && counts->is_array()) {
    log_.staleness = *counts;
  }
  if (const auto pushes = line.find("pushes"); pushes != line.end() && pushes->is_array()) {
    for (const auto& push : *pushes) {
      if (log_.pushes.size() < limits_.pushes) log_.pushes.push_back(push);
    }
  }
  if (const auto& dropped = object_at(line, "dropped"); !dropped.empty()) {
    add_note(fmt::format("{}: worker {} left at step {}: {}", run_, number_at(dropped, "worker"),
                         number_at(dropped, "step"), text_at(dropped, "error")));
  }
  if (const auto text = text_at(line, "interrupted"); !text.empty()) {
    interruption_ = fmt::format("{}: the run is not finished: {}", run_, text);
  }
}

LogData LogCollector::finish() {
  if (!interruption_.empty()) log_.notes.push_back(interruption_);
  log_.steps = steps_.points();
  log_.evaluations = evaluations_.points();
  log_.health = health_.items();
  log_.density = density_.items();
  log_.times = times_.mean(step_);
  log_.virtual_times = virtual_times_.mean(step_);
  // Tests before the first report.
  if (log_.steps.empty()) return std::move(log_);
  const auto& first = log_.steps.front().cells;
  for (auto& test : log_.evaluations) {
    auto& wall = test.cells[LogData::kTestWall];
    if (std::isnan(wall)) {
      wall = first[LogData::kWall] * test.cells[LogData::kTestStep] / first[LogData::kStep];
    }
  }
  return std::move(log_);
}

}  // namespace

LogData read_log_data(std::istream& in, const std::string& name, const std::string& run,
                      const PageLimits& limits) {
  LineReader reader(in, name);
  LogCollector collector(run, limits);
  StepLine report;
  bool cut = false;
  for (std::string_view line; !cut && reader.next(line);) {
    if (scan_step_line(line, report)) {
      collector.add(report);
      continue;
    }
    auto json = Json::parse(line, nullptr, false);
    if (json.is_object()) {
      collector.add(std::move(json));
      continue;
    }
    cut = !reader.is_terminated();
    check(cut, "{}: expected a JSON object; got '{}'; remove the line", reader.place(),
          printable(line.substr(0, 40)));
  }
  auto log = collector.finish();
  if (cut) {
    log.notes.push_back(
        fmt::format("{}: the log ends within line {}, which is left out", run, reader.number()));
  }
  if (log.steps.empty() && log.evaluations.empty()) {
    log.notes.push_back(fmt::format("{}: the log has no report yet", run));
  }
  return log;
}

}  // namespace terse::run
