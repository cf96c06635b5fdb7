#include "examples/paper/noise_histograms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

#include "examples/paper/gradient_pass.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/shape_tests.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;
using Samples = GradientPass::Samples;

constexpr double kLowNoise = -4, kHighNoise = 4;  // standard deviations
constexpr std::size_t kNoiseBins = 20;
constexpr double kNoiseBin = (kHighNoise - kLowNoise) / kNoiseBins;  // the width of a bin

struct Moments {
  double mean = 0, deviation = 0;
};
Moments moments_of(const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  Moments moments;
  for (const double value : values) moments.mean += value / n;
  for (const double value : values) {
    moments.deviation += (value - moments.mean) * (value - moments.mean) / n;
  }
  moments.deviation = std::sqrt(moments.deviation);
  return moments;
}

// Values beyond the bins are left out.
std::vector<std::int64_t> counts_of(const std::vector<double>& values, const Moments& scale) {
  std::vector<std::int64_t> counts(kNoiseBins);
  for (const double value : values) {
    const double bin = ((value - scale.mean) / scale.deviation - kLowNoise) / kNoiseBin;
    if (bin >= 0 && bin < kNoiseBins) ++counts[static_cast<std::size_t>(bin)];
  }
  return counts;
}

// The coordinates with the smallest, the median and the largest statistic. Those with constant
// gradients have no noise.
template <class Statistic>
json chosen_histograms(const Samples& samples, const Samples& beside, Statistic statistic) {
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto [least, most] = std::ranges::minmax(samples[i]);
    if (least < most) order.emplace_back(statistic(samples[i]), i);
  }
  std::sort(order.begin(), order.end());
  json chosen = json::array();
  for (const std::size_t place : {std::size_t{0}, order.size() / 2, order.size() - 1}) {
    const auto [value, i] = order[place];
    const auto scale = moments_of(samples[i]);
    chosen.push_back({{"statistic", value}, {"counts", counts_of(samples[i], scale)}});
    if (!beside.empty()) chosen.back()["beside"] = counts_of(beside[i], scale);
  }
  return chosen;
}

json describe_noise(const GradientPasses& passes, double epoch) {
  const auto samples = passes.front()->sample();
  const auto beside = passes.size() > 1 ? passes.back()->sample() : Samples();
  const auto absolute = [](const std::vector<double>& values) {
    return std::abs(asymmetry(values));
  };
  return {{"epoch", epoch},
          {"samples", samples.front().size()},
          {"asymmetry", chosen_histograms(samples, beside, absolute)},
          {"dip", chosen_histograms(samples, beside, dip)}};
}

}  // namespace

std::string histograms_of(const Setting& setting) {
  return setting.name + "/noise-histograms";
}

Experiment noise_histograms(const Setting& setting, const Method& method,
                            const std::string& beside) {
  const auto config = one_worker_config(setting, method);
  std::vector<std::string> partitions = {config.partition};
  if (!beside.empty()) partitions.push_back(beside);
  return {.name = histograms_of(setting),
          .configuration = {{"model", config.model},
                            {"data", config.data},
                            {"epochs", config.epochs},
                            {"steps", config.steps},
                            {"partitions", partitions},
                            {"compressor", method.compressor},
                            {"optimizer", method.optimizer},
                            {"lr", method.rate},
                            {"bins", {kLowNoise, kHighNoise, kNoiseBins}},
                            {"revision", 1}},
          .seconds = 3 * setting.seconds,
          .measure =
              [=](const Rows&) {
                const auto epochs = while_training(config, partitions, describe_noise);
                return json{{"low", kLowNoise},
                            {"high", kHighNoise},
                            {"epochs", {epochs.front(), epochs.back()}}};
              },
          .data = config.data};
}

namespace {

// A density over standard deviations, from counts of `samples` values.
run::Curve density_curve(std::string name, const json& row, const json& counts, double samples) {
  run::Curve curve{.name = std::move(name), .points = {}};
  const double low = row.at("low"),
               width = (row.at("high").get<double>() - low) / static_cast<double>(counts.size());
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    curve.points.emplace_back(low + (static_cast<double>(bin) + 0.5) * width,
                              counts[bin].get<double>() / (samples * width));
  }
  return curve;
}

run::Curve normal_curve(const json& row) {
  run::Curve curve{.name = "normal", .points = {}};
  const double low = row.at("low"), high = row.at("high");
  constexpr int kPoints = 33;
  for (int i = 0; i < kPoints; ++i) {
    const double x = low + (high - low) * i / (kPoints - 1);
    curve.points.emplace_back(x, std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi));
  }
  return curve;
}

// For each epoch of the row a chart with curves_of(epoch).
template <class CurvesOf>
Charts charts_of_epochs(const json& row, const char* title, CurvesOf curves_of) {
  Charts charts;
  for (const auto& epoch : row.at("epochs")) {
    const double trained = epoch.at("epoch");
    const auto when = trained == 0 ? "before training" : fmt::format("after {:g} epochs", trained);
    charts.push_back({.title = fmt::format("{}, {} (seed 1)", title, when),
                      .x = {.label = "g − mean of g, in standard deviations", .text = plain},
                      .y = {.label = "density over the batches", .text = plain},
                      .curves = curves_of(epoch)});
  }
  return charts;
}

}  // namespace

Charts histogram_charts(const json& row, const char* statistic) {
  return charts_of_epochs(
      row, fmt::format("Noise of three coordinates by {}", statistic).c_str(),
      [&](const json& epoch) {
        std::vector<run::Curve> curves = {normal_curve(row)};
        const std::vector<const char*> places = {"smallest", "median", "largest"};
        for (std::size_t i = 0; i < places.size(); ++i) {
          const auto& chosen = epoch[statistic][i];
          curves.push_back(density_curve(fmt::format("{} {} {:.2g}", places[i], statistic,
                                                     chosen.at("statistic").get<double>()),
                                         row, chosen.at("counts"), epoch.at("samples")));
        }
        return curves;
      });
}

Charts histogram_charts_beside(const json& row, const char* statistic, const char* name,
                               const char* name_beside) {
  return charts_of_epochs(
      row, fmt::format("The coordinate with the largest {}", statistic).c_str(),
      [&](const json& epoch) {
        const auto& chosen = epoch[statistic].back();
        return std::vector<run::Curve>{
            density_curve(name, row, chosen.at("counts"), epoch.at("samples")),
            density_curve(name_beside, row, chosen.at("beside"), epoch.at("samples"))};
      });
}

}  // namespace terse::paper
