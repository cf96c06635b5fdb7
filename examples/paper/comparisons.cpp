#include "examples/paper/comparisons.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "examples/paper/row_values.hpp"
#include "examples/run/progress.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

const char* score_name(const Setting& setting) {
  return setting.lower_is_better ? "test perplexity" : "test accuracy in %";
}

// y over x at every evaluation, means over the seeds.
run::LineChart curves_of(const Rows& rows, const Setting& setting,
                         const std::vector<Method>& methods, const char* x, run::ChartAxis axis) {
  run::LineChart chart{
      .title = setting.config.model + " on " + setting.config.data,
      .x = std::move(axis),
      .y = {.label = score_name(setting), .logarithmic = setting.lower_is_better, .text = plain},
      .curves = {}};
  for (const auto& method : methods) {
    const auto& row = rows[row_of(setting, method)];
    run::Curve curve{.name = method.name, .points = {}};
    const auto& first = row.at("seeds").at(0);
    if (first.contains("failure")) continue;
    for (std::size_t i = 0; i < first.at("curve").size(); ++i) {
      double sum = 0, count = 0;
      for (const auto& seed : row.at("seeds")) {
        if (seed.contains("failure")) continue;
        sum += seed.at("curve").at(i).at("score").get<double>();
        ++count;
      }
      curve.points.emplace_back(first.at("curve").at(i).at(x).get<double>(), sum / count);
    }
    chart.curves.push_back(std::move(curve));
  }
  return chart;
}

std::ptrdiff_t diverged(const json& row) {
  return std::ranges::count_if(row.at("seeds"),
                               [](const json& seed) { return seed.contains("failure"); });
}

// Of a worker's packet; 0 if all runs diverged.
double packet_bytes(const json& row) {
  for (const auto& seed : row.at("seeds")) {
    if (!seed.contains("failure")) return seed.at("message_bytes").get<double>();
  }
  return 0;
}

bool is_uncompressed(const Method& method) {
  return method.compressor.starts_with("none");
}

// " (1 of 3 runs of top-k diverged)": an interval with the score of such a run says little.
std::string divergence_text(const Rows& rows, const Setting& setting,
                            const std::vector<Method>& methods) {
  std::string text;
  for (const auto& method : methods) {
    const auto& row = rows[row_of(setting, method)];
    if (diverged(row) == 0) continue;
    text += fmt::format(" ({} of {} runs of {} diverged)", diverged(row), row.at("seeds").size(),
                        method.name);
  }
  return text;
}

using Compare = Finding (*)(const Interval&, double, int, std::string_view);

// What the gain of `a` over `b` says of a bound.
Finding gain_is(Compare compare, double bound, const Rows& rows, const Setting& setting,
                const Method& a, const Method& b) {
  const auto delta = gain(rows, setting, a, b);
  const auto name = fmt::format("Δ {} − {}:", a.name, b.name);
  auto finding = compare(delta, bound, 2, name);
  const auto divergence = divergence_text(rows, setting, {a, b});
  // The seeds that would tell assume that the spread is one of scores.
  if (!divergence.empty()) finding.measured = name + " " + text_of(delta, 2) + divergence;
  return finding;
}

}  // namespace

std::vector<double> scores(const Rows& rows, const Setting& setting, const Method& method) {
  return by_seed(rows[row_of(setting, method)], "score");
}

Interval gain(const Rows& rows, const Setting& setting, const Method& a, const Method& b) {
  auto of_a = scores(rows, setting, a), of_b = scores(rows, setting, b);
  const auto both = std::min(of_a.size(), of_b.size());
  of_a.resize(both);
  of_b.resize(both);
  if (!setting.lower_is_better) return interval_of(differences(of_a, of_b));
  std::vector<double> percent(both);
  for (std::size_t i = 0; i < both; ++i) percent[i] = 100 * (1 - of_a[i] / of_b[i]);
  return interval_of(percent);
}

double without_loss(const Setting& setting, double score) {
  return setting.lower_is_better ? score * (1 + kAllowedPercent / 100) : score - kAllowedPoints;
}

Finding no_loss(const Rows& rows, const Setting& setting, const Method& a, const Method& b) {
  const double allowed = setting.lower_is_better ? kAllowedPercent : kAllowedPoints;
  return gain_is(above, -allowed, rows, setting, a, b);
}

Finding is_below(const Rows& rows, const Setting& setting, const Method& a, const Method& b,
                 double margin) {
  return gain_is(below, -margin, rows, setting, a, b);
}

void add_once(Paper& paper, Experiment experiment) {
  auto& known = paper.experiments;
  const auto found = std::ranges::find(known, experiment.name, &Experiment::name);
  if (found == known.end()) return known.push_back(std::move(experiment));
  check<InternalError>(found->configuration == experiment.configuration,
                       "two experiments have the name '{}': {} and {}", experiment.name,
                       found->configuration.dump(), experiment.configuration.dump());
}

void add_trained(Paper& paper, Claim& claim, const Setting& setting, const Method& method) {
  claim.experiments.push_back(row_of(setting, method));
  add_once(paper, tuned(setting, method));
  add_once(paper, trained(setting, method));
}

Runs runs_of(const std::vector<Setting>& settings, const std::vector<Method>& methods) {
  Runs runs;
  for (const auto& setting : settings) {
    for (const auto& method : methods) runs.emplace_back(setting, method);
  }
  return runs;
}

Claim& add_claim_on(Paper& paper, const char* name, const char* claimed, const Runs& runs,
                    std::function<Finding(const Rows&)> decide,
                    std::function<Charts(const Rows&)> draw) {
  Claim claim{.name = name,
              .claimed = claimed,
              .experiments = {},
              .decide = std::move(decide),
              .draw = std::move(draw)};
  for (const auto& [setting, method] : runs) add_trained(paper, claim, setting, method);
  return paper.claims.emplace_back(std::move(claim));
}

void TrainedClaims::add(const char* name, const char* claimed, const std::vector<Method>& methods,
                        const Decide& decide) {
  add_claim_on(
      paper_, name, claimed, runs_of({setting_}, methods),
      [setting = setting_, methods, decide](const Rows& rows) {
        auto finding = decide(rows, setting);
        finding.measured += "; " + scores_text(rows, setting, methods);
        return finding;
      },
      [setting = setting_, methods](const Rows& rows) {
        Charts charts = {score_chart(rows, setting, methods)};
        if (setting.config.workers > 1 && !std::ranges::all_of(methods, is_uncompressed)) {
          charts.push_back(bytes_chart(rows, setting, methods));
        }
        return charts;
      });
}

std::string scores_text(const Rows& rows, const Setting& setting,
                        const std::vector<Method>& methods) {
  auto text = fmt::format("{}, {}: ", setting.config.model, score_name(setting));
  const auto whole = std::ranges::find_if(methods, is_uncompressed);
  const double whole_bytes =
      whole == methods.end() ? 0 : packet_bytes(rows[row_of(setting, *whole)]);
  for (const auto& method : methods) {
    text +=
        (&method == &methods.front() ? "" : ", ") + score_text(rows, setting, method, whole_bytes);
  }
  return text;
}

std::string score_text(const Rows& rows, const Setting& setting, const Method& method,
                       double whole_bytes) {
  const auto& row = rows[row_of(setting, method)];
  const auto interval = interval_of(by_seed(row, "score"));
  std::string text = fmt::format("{} {:.2f}", method.name, interval.mean);
  if (interval.seeds > 1) {
    text += fmt::format(" ± {:.2f}", interval.deviation);
  }
  text += fmt::format(" (rate {:g}", row.at("lr").get<double>());
  const auto bytes = packet_bytes(row);
  if (bytes > 0 && whole_bytes > bytes) {
    text += fmt::format(", {:.3g}× fewer bytes", whole_bytes / bytes);
  }
  const auto failed = diverged(row);
  return text +
         (failed > 0 ? fmt::format(", {} of {} diverged)", failed, row.at("seeds").size()) : ")");
}

run::LineChart score_chart(const Rows& rows, const Setting& setting,
                           const std::vector<Method>& methods) {
  return curves_of(rows, setting, methods, "epoch", {.label = "epochs", .text = plain});
}

run::LineChart bytes_chart(const Rows& rows, const Setting& setting,
                           const std::vector<Method>& methods) {
  return curves_of(rows, setting, methods, "bytes",
                   {.label = "sent by a worker", .logarithmic = true, .text = run::bytes_text});
}

run::LineChart time_chart(const Rows& rows, const Setting& setting,
                          const std::vector<Method>& methods) {
  return curves_of(rows, setting, methods, "virtual_seconds",
                   {.label = "modelled seconds", .text = plain});
}

run::LineChart chart_of_settings(const Rows& rows, std::string title, run::ChartAxis x_axis,
                                 run::ChartAxis y_axis, const std::vector<double>& x,
                                 const std::vector<Setting>& settings,
                                 const std::vector<Method>& methods, const char* key) {
  std::vector<std::string> names;
  for (const auto& method : methods) names.push_back(method.name);
  return chart(std::move(title), std::move(x_axis), std::move(y_axis), x, names,
               [&](std::size_t i, std::size_t k) {
                 return interval_of(by_seed(rows[row_of(settings[k], methods[i])], key)).mean;
               });
}

}  // namespace terse::paper
