#include "examples/paper/gradient_noise_claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/paper/noise_experiments.hpp"
#include "examples/paper/noise_histograms.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

double least(const std::vector<double>& values) {
  return std::ranges::min(values);
}
double most(const std::vector<double>& values) {
  return std::ranges::max(values);
}
double last(const std::vector<double>& values) {
  return values.back();
}
double growth(const std::vector<double>& values) {
  return values.back() - values.front();
}

Finding snr_falls(const json& row) {
  return all_of({above(interval_of(over_epochs(row, "snr_below", last)), 0.95, 3,
                       "share below 2/√3 at the end"),
                 below(interval_of(over_epochs(row, "snr_mean", growth)), 0, 3,
                       "change of the mean of |g|/σ, first to last epoch")});
}

Finding noise_is_no_sparser(const json& row) {
  return above(interval_of(by_seed(row,
                                   [](const json& seed) {
                                     double least = 1e9;
                                     for (const auto& epoch : seed.at("epochs")) {
                                       least = std::min(least,
                                                        epoch.at("density_noise").get<double>() /
                                                            epoch.at("density_mean").get<double>());
                                     }
                                     return std::log(least);
                                   })),
               std::log(0.5), 2, "least log of φ(σ)/φ(g)");
}

Charts draw_noise(const json& row) {
  const run::ChartAxis epochs = {.label = "epochs", .text = plain};
  const auto of = [&](const char* title, const char* label, const std::vector<std::string>& names,
                      const std::vector<const char*>& keys) {
    return chart(title, epochs, {.label = label, .text = plain}, epoch_means(row, "epoch"), names,
                 [&](std::size_t i, std::size_t k) { return epoch_means(row, keys[i])[k]; });
  };
  return {of("Density of the gradient and of its noise", "φ, mean of the seeds", {"φ(g)", "φ(σ)"},
             {"density_mean", "density_noise"}),
          of("Coordinates whose noise fails a test at 5 %", "share of 200, mean of the seeds",
             {"symmetry", "one mode"}, {"asymmetric", "several_modes"}),
          of("Signal-to-noise ratio", "mean of |g|/σ over coordinates and seeds", {"mean"},
             {"snr_mean"})};
}

}  // namespace

void add_noise_claims(Paper& paper, Scale scale) {
  const auto n = lenet(scale);
  paper.experiments.push_back(gradient_noise(n));
  const auto add = [&](const char* name, const char* claimed,
                       std::function<Finding(const json&)> decide) -> Claim& {
    return paper.claims.emplace_back(
        Claim{.name = name,
              .claimed = claimed,
              .experiments = {noise_of(n)},
              .decide = [=](const Rows& rows) { return decide(rows[noise_of(n)]); }});
  };
  const auto add_histograms = [&](Claim& claim, const char* statistic) {
    claim.experiments.push_back(histograms_of(n));
    claim.draw = [=](const Rows& rows) {
      return histogram_charts(rows[histograms_of(n)], statistic);
    };
  };
  add("density", "gradients stay dense: φ(g) is far above 1/d", [](const json& row) {
    return above(interval_of(over_epochs(row, "density_mean", least)), 0.05, 3, "least φ(g)");
  }).draw = [=](const Rows& rows) { return draw_noise(rows[noise_of(n)]); };
  add("density-noise", "the noise of a gradient is no sparser than the gradient",
      noise_is_no_sparser);
  paper.experiments.push_back(noise_histograms(n, kSgd));
  add_histograms(add("noise-symmetric", "noise at batch 128 is symmetric",
                     [](const json& row) {
                       auto finding = below(interval_of(over_epochs(row, "asymmetric", most)), 0.1,
                                            3, "largest share that fails");
                       finding.measured +=
                           fmt::format("; largest mean of |mean − median|/σ {}",
                                       text_of(interval_of(over_epochs(row, "skew", most)), 3));
                       return finding;
                     }),
                 "asymmetry");
  add_histograms(add("noise-unimodal", "noise at batch 128 is unimodal",
                     [](const json& row) {
                       return below(interval_of(over_epochs(row, "several_modes", most)), 0.1, 3,
                                    "largest share that fails");
                     }),
                 "dip");
  add("snr-falls", "signal-to-noise ratios fall below 2/√3 during training", snr_falls);
}

}  // namespace terse::paper
