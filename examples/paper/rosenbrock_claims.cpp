#include "examples/paper/rosenbrock_claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "examples/paper/rosenbrock_experiments.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

// For each seed, the mean over the rates of value(seed's object) in the runs with this batch. The
// rates of one seed share their draws, so they are no values of their own.
template <class Value>
std::vector<double> of_batch(const json& row, int batch, Value value) {
  std::vector<double> means;
  double rates = 0;
  for (const auto& run : row.at("runs")) {
    if (run.at("batch") != batch) continue;
    const auto of_rate = by_seed(run, value);
    means.resize(of_rate.size());
    std::ranges::transform(means, of_rate, means.begin(), std::plus<>());
    ++rates;
  }
  for (double& mean : means) mean /= rates;
  return means;
}

// The interval lies on the side of `error` on which zero does not lie: holds. It lies beyond −error:
// does not hold.
Finding lies_beyond(const Interval& interval, double error, std::string_view quantity) {
  const double side = error > 0 ? 1 : -1;
  const double low = std::min(side * interval.low, side * interval.high);
  const double high = std::max(side * interval.low, side * interval.high);
  const auto verdict = low > std::abs(error)     ? Verdict::holds
                       : high < -std::abs(error) ? Verdict::fails
                                                 : Verdict::open;
  return {
      .verdict = verdict,
      .measured = fmt::format(
          "{} {}{}", quantity, text_of(interval, 3),
          verdict == Verdict::open ? fmt::format(", within ±{:g} of zero", std::abs(error)) : "")};
}

Finding threshold(const Rows& rows) {
  const auto& row = rows["rosenbrock/noise"];
  const auto log_f = [](const json& seed) { return std::log10(seed.at("f").get<double>()); };
  const auto least = [](const json& seed) { return seed.at("least").get<double>(); };
  const auto f1 = of_batch(row, 1, log_f), f8 = of_batch(row, 8, log_f);
  const auto margin1 = interval_of(of_batch(row, 1, least));
  const auto margin8 = interval_of(of_batch(row, 8, least));
  const double error = 5 / std::sqrt(row.at("samples").get<double>());  // of one margin, at most
  return all_of({below(interval_of(differences(f8, f1)), -1, 2, "Δ of log₁₀ f, batch 8 − 1:"),
                 lies_beyond(margin1, -error, "smallest margin of batch 1"),
                 lies_beyond(margin8, error, "of batch 8")});
}

run::Curve along_run(const json& run, const char* key, bool logarithmic) {
  run::Curve curve{.name = fmt::format("batch {}", run.at("batch").get<int>()), .points = {}};
  for (const auto& point : run.at("points")) {
    const double value = point[key];
    if (logarithmic && !(value > 0)) continue;  // an estimate of about zero
    curve.points.emplace_back(point.at("step").get<double>(), value);
  }
  return curve;
}

run::Curve histogram_of(const json& run) {
  std::vector<double> counts;
  for (const auto& seed : run.at("seeds")) {
    const auto of_seed = numbers(seed.at("histogram"));
    counts.resize(of_seed.size());
    std::ranges::transform(counts, of_seed, counts.begin(), std::plus<>());
  }
  const double all = std::accumulate(counts.begin(), counts.end(), 0.0);
  const auto bins = static_cast<double>(counts.size());
  run::Curve curve{.name = fmt::format("batch {}", run.at("batch").get<int>()), .points = {}};
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    curve.points.emplace_back((static_cast<double>(bin) + 0.5) / bins * 2 - 1, counts[bin] / all);
  }
  return curve;
}

// A column for each rate: f, the ρ-norm and the least margin along the run, and the histogram of all
// margins.
std::string draw_threshold(const Rows& rows) {
  const auto& runs = rows["rosenbrock/noise"].at("runs");
  std::vector<double> rates;
  for (const auto& run : runs) {
    const double gamma = run.at("gamma");
    if (std::ranges::find(rates, gamma) == rates.end()) rates.push_back(gamma);
  }
  Charts charts;
  const auto add_row = [&](const char* title, const char* x_label, const run::ChartAxis& y_axis,
                           const std::function<run::Curve(const json&)>& curve_of) {
    for (const double rate : rates) {
      run::LineChart chart{.title = fmt::format("γ = {:g}: {}", rate, title),
                           .x = {.label = x_label, .text = plain},
                           .y = y_axis,
                           .curves = {}};
      for (const auto& run : runs) {
        if (run["gamma"] == rate) chart.curves.push_back(curve_of(run));
      }
      charts.push_back(std::move(chart));
    }
  };
  const auto along = [&](const char* key, const char* title, const char* label, bool logarithmic) {
    add_row(title, "steps", {.label = label, .logarithmic = logarithmic, .text = plain},
            [=](const json& run) { return along_run(run, key, logarithmic); });
  };
  along("f", "f", "geometric mean of the seeds", true);
  along("rho_norm", "‖g‖_ρ", "mean of the seeds", true);
  along("least", "smallest margin of a coordinate", "mean of the seeds", false);
  add_row("margins of all coordinates", "P(right) − P(wrong)",
          {.label = "share along the runs of all seeds", .text = plain}, histogram_of);
  return run::to_svg(charts, rates.size());
}

Finding more_nodes_are_lower(const Rows& rows) {
  const auto& row = rows["rosenbrock/votes"];
  const auto logs = [&](std::uint32_t nodes) {
    for (std::size_t i = 0; i < row.at("nodes").size(); ++i) {
      if (row.at("nodes").at(i) != nodes) continue;
      auto values = numbers(row.at("f").at(i));
      for (double& f : values) f = std::log(f);
      return values;
    }
    return std::vector<double>();
  };
  return below(interval_of(differences(logs(9), logs(1))), 0, 2, "Δ of log f, M = 9 − 1:");
}

Charts draw_vote_descent(const Rows& rows) {
  const auto& row = rows["rosenbrock/votes"];
  return {chart("Rosenbrock by votes: f after the last step",
                {.label = "nodes M", .logarithmic = true, .text = plain},
                {.label = "f", .logarithmic = true, .text = plain}, numbers(row.at("nodes")),
                {"mean of the seeds"}, [&](std::size_t, std::size_t k) {
                  return interval_of(numbers(row.at("f").at(k))).mean;
                })};
}

}  // namespace

void add_rosenbrock(Paper& paper, Scale scale) {
  paper.experiments.push_back(rosenbrock_noise(scale));
  paper.experiments.push_back(rosenbrock_votes(scale));
  paper.claims.push_back({.name = "threshold",
                          .claimed = "signs converge if the smallest ρ is above 1/2, and only then",
                          .experiments = {"rosenbrock/noise"},
                          .decide = threshold,
                          .draw_svg = draw_threshold});
  paper.claims.push_back({.name = "vote-descent",
                          .claimed = "with more nodes the vote reaches a lower value",
                          .experiments = {"rosenbrock/votes"},
                          .decide = more_nodes_are_lower,
                          .draw = draw_vote_descent});
}

}  // namespace terse::paper
