#include "examples/whatif/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "examples/run/line_chart.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/text.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::run {
namespace {

constexpr std::size_t kMethodWidth = 28;

// Aligned to the right in so many columns; "-" if it is not defined.
std::string column(double value, int digits, std::size_t width) {
  const auto text = std::isnan(value) ? "-" : number_text(value, digits, width - 1);
  return fmt::format("{:>{}}", text, width);
}

// A long method has a line of its own.
std::string method_column(const std::string& method) {
  if (method.size() < kMethodWidth) return fmt::format("{:<{}}", method, kMethodWidth);
  return fmt::format("{}\n{:<{}}", method, "", kMethodWidth);
}

double bytes_per_value(const Replay& replay) {
  return replay.mean().packet_bytes /
         static_cast<double>(std::max<std::int64_t>(1, replay.values()));
}

bool follows(const RecordedStep& a, const RecordedStep& b) {
  return a.differences != b.differences || a.round + 1 == b.round;
}

std::string heading(const WhatIf& w) {
  const auto& r = w.records;
  const auto& first = w.steps.front();
  const auto what = fmt::format(
      "{} {} from {} to {}, {} workers; {} of {} values; recorded from {}", w.steps.size(),
      w.steps.size() == 1 ? "step" : "steps", first.step, w.steps.back().step, r.workers,
      thousands_text(static_cast<double>(w.methods.front().values())),
      thousands_text(static_cast<double>(r.values)), r.compressor);
  std::string text;
  for (const auto& line : wrapped(what, 80)) text += line + "\n";
  if (std::ranges::any_of(w.steps, &RecordedStep::differences)) {
    text += "Local steps: the workers exchange differences of models, which are replayed.\n";
  }
  if (r.topology == "async") {
    text += "Topology async: a step is a worker's own; its mean is over models of other ages.\n";
  }
  text += fmt::format("The state of each method is empty before step {}.\n", first.step);
  if (std::ranges::adjacent_find(w.steps, std::not_fn(follows)) != w.steps.end()) {
    text += "Steps in between are not recorded; residuals and momenta skip them.\n";
  }
  return text;
}

std::string quality_table(const WhatIf& w) {
  std::string text = fmt::format("\n{:<{}}{:>12}{:>10}{:>10}{:>10}{:>10}\n", "method", kMethodWidth,
                                 "packet, B", "B/value", "error", "cosine", "signs");
  for (const auto& replay : w.methods) {
    const auto mean = replay.mean();
    text += method_column(replay.method()) + column(mean.packet_bytes, 0, 12) +
            column(bytes_per_value(replay), 4, 10) + column(mean.relative_error, 4, 10) +
            column(mean.cosine, 4, 10) + column(mean.sign_agreement, 4, 10) + "\n";
  }
  return text +
         "error: |decoded - mean|^2 / |mean|^2; cosine: of decoded and mean; signs: share\n"
         "of equal ones. The mean is that of the workers' gradients. -: not defined\n";
}

std::string energy_table(const WhatIf& w) {
  std::string text = fmt::format("\n{:<{}}{:>10}{:>10}{:>10}{:>11}{:>11}\n", "method", kMethodWidth,
                                 "kept", "top-k", "SVD", "|e| first", "|e| last");
  for (const auto& replay : w.methods) {
    const auto mean = replay.mean();
    text += method_column(replay.method()) + column(mean.energy.kept, 4, 10) +
            column(mean.energy.top_k, 4, 10) + column(mean.energy.svd, 4, 10) +
            column(replay.steps().front().residual, 5, 11) + column(mean.residual, 5, 11) + "\n";
  }
  return text +
         "kept: 1 - |x - C(x)|^2 / |x|^2, where x is what a worker compresses, with its\n"
         "residual; top-k: the most that (packet bytes / 8) values of x hold; SVD: the\n"
         "most of the same rank; |e|: residual after the first and the last step\n";
}

// For marks, which are powers of ten: "10 KB" instead of "10.0 KB".
std::string bytes_mark(double bytes) {
  std::string text = bytes_text(bytes);
  if (const auto dot = text.find('.'); dot != std::string::npos) {
    text.erase(dot, text.find(' ') - dot);
  }
  return text;
}

std::string plain_mark(double value) {
  return fmt::format("{:g}", std::abs(value) < 1e-12 ? 0 : value);
}

nlohmann::json json_of(const ReplayedStep& s) {
  return {{"packet_bytes", s.packet_bytes},
          {"relative_error", s.relative_error},
          {"cosine", s.cosine},
          {"sign_agreement", s.sign_agreement},
          {"energy_kept", s.energy.kept},
          {"energy_top_k", s.energy.top_k},
          {"energy_svd", s.energy.svd}};
}

nlohmann::json json_of(const Replay& replay) {
  auto json = json_of(replay.mean());
  json["method"] = replay.method();
  json["spec"] = make_compressor(replay.method())->spec();
  json["bytes_per_value"] = bytes_per_value(replay);
  json["residual_first"] = replay.steps().front().residual;
  json["residual_last"] = replay.steps().back().residual;
  auto& steps = json["steps"] = nlohmann::json::array();
  for (const auto& step : replay.steps()) {
    steps.push_back(json_of(step));
    steps.back()["step"] = step.step;
    steps.back()["residual"] = step.residual;
  }
  return json;
}

}  // namespace

std::string to_text(const WhatIf& w) {
  return heading(w) + quality_table(w) + energy_table(w);
}

std::string to_csv(const WhatIf& w) {
  std::string text =
      "method,packet_bytes,bytes_per_value,relative_error,cosine,sign_agreement,energy_kept,"
      "energy_top_k,energy_svd,residual_first,residual_last\n";
  const auto cell = [](double value) {
    return std::isnan(value) ? std::string(",") : fmt::format(",{:.9g}", value);
  };
  for (const auto& replay : w.methods) {
    const auto mean = replay.mean();
    text += '"' + replay.method() + '"';
    for (const double value :
         {mean.packet_bytes, bytes_per_value(replay), mean.relative_error, mean.cosine,
          mean.sign_agreement, mean.energy.kept, mean.energy.top_k, mean.energy.svd,
          replay.steps().front().residual, mean.residual}) {
      text += cell(value);
    }
    text += '\n';
  }
  return text;
}

nlohmann::json to_json(const WhatIf& w) {
  auto steps = nlohmann::json::array(), methods = nlohmann::json::array();
  for (const auto& step : w.steps) steps.push_back(step.step);
  for (const auto& replay : w.methods) methods.push_back(json_of(replay));
  return {{"run", w.run},
          {"compressor", w.records.compressor},
          {"topology", w.records.topology},
          {"workers", w.records.workers},
          {"values", w.methods.front().values()},
          {"model_values", w.records.values},
          {"recorded_steps", std::move(steps)},
          {"methods", std::move(methods)}};
}

std::string chart_svg(const WhatIf& w) {
  const ChartAxis cosine{.label = "cosine of the decoded gradient and the mean",
                         .text = plain_mark};
  LineChart bytes{.title = "direction kept, by size of the packet",
                  .x = {.label = "bytes of a packet", .logarithmic = true, .text = bytes_mark},
                  .y = cosine,
                  .curves = {}};
  LineChart steps{.title = "direction kept, by step",
                  .x = {.label = "step", .text = plain_mark},
                  .y = cosine,
                  .curves = {}};
  for (const auto& replay : w.methods) {
    const auto mean = replay.mean();
    if (std::isnan(mean.cosine)) continue;
    bytes.curves.push_back({replay.method(), {{std::max(1.0, mean.packet_bytes), mean.cosine}}});
    auto& curve = steps.curves.emplace_back(Curve{.name = replay.method(), .points = {}});
    for (const auto& step : replay.steps()) {
      if (!std::isnan(step.cosine)) {
        curve.points.emplace_back(static_cast<double>(step.step), step.cosine);
      }
    }
  }
  check(!bytes.curves.empty(), "--svg: expected a method with a cosine; the gradients are zero");
  if (w.steps.size() == 1) return to_svg(bytes);
  return to_svg(std::vector{bytes, steps});
}

}  // namespace terse::run
