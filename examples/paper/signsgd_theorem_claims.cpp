#include "examples/paper/signsgd_theorem_claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "examples/paper/row_values.hpp"
#include "examples/paper/sign_experiments.hpp"
#include "examples/paper/signsgd_experiments.hpp"
#include "examples/paper/statistics.hpp"
#include "tersegrad/optim/problems/sign_laws.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

Finding error_bound(const Rows& rows) {
  std::vector<Case> cases;
  for (const auto& c : rows["signs/success"].at("cases")) {
    const double least = problems::gauss_bound(c.at("snr"));
    cases.push_back({.excess = c.at("rho").get<double>() - least, .error = c.at("error")});
  }
  return in_all_cases(cases, "bound − P(wrong)");
}

Finding two_points_diverge(const Rows& rows) {
  const auto logs = by_seed(rows["signsgd/two-point-noise"], [](const json& seed) {
    return std::log(seed.at("ratio").get<double>());
  });
  return above(interval_of(logs), 0, 2, "log of f / f(x₀)");
}

// A mean over the seeds against its bound, which holds for the expectation.
Case mean_below(const Interval& mean, double bound) {
  return {.excess = 1 - mean.mean / bound, .error = standard_error(mean) / bound};
}

Finding means_obey(const json& row) {
  std::vector<Case> cases;
  for (const auto& c : row.at("cases")) {
    cases.push_back(mean_below(interval_of(numbers(c.at("means"))), c.at("bound")));
  }
  return in_all_cases(cases, "1 − mean / bound");
}

// The slope of what noise adds to the mean, over the number of voters. There is none if noise adds
// nothing to the mean of a seed.
std::optional<Interval> slope_of_excess(const json& row, const char* key) {
  const double noiseless = row.at("noiseless");
  std::vector<double> slopes;
  for (const auto& seed : row.at("seeds")) {
    auto values = numbers(seed.at(key));
    for (double& value : values) value -= noiseless;
    if (std::ranges::min(values) <= 0) return std::nullopt;
    slopes.push_back(log_slope(numbers(row.at("voters")), values));
  }
  return interval_of(slopes);
}

Finding vote_noise_falls(const Rows& rows) {
  const auto& row = rows["signsgd/vote-noise"];
  std::vector<Case> cases;
  for (std::size_t i = 0; i < row.at("voters").size(); ++i) {
    cases.push_back(mean_below(interval_of(by_seed(row, "batch", i)), row.at("bound").at(i)));
  }
  const auto slope = slope_of_excess(row, "batch"), of_single = slope_of_excess(row, "single");
  const std::string none = "none, because a mean is not above that without noise";
  auto falls = slope ? within(*slope, -0.6, -0.4, 3, "slope over M")
                     : Finding{.verdict = Verdict::open, .measured = "slope over M: " + none};
  falls.measured += "; with batches of 1 " + (of_single ? text_of(*of_single, 3) : none);
  return all_of({in_all_cases(cases, "1 − mean / bound"), falls});
}

Charts draw_vote_noise(const Rows& rows) {
  const auto& row = rows["signsgd/vote-noise"];
  const double noiseless = row.at("noiseless");
  return {chart("What noise adds to the mean of ‖g‖₁, by voters",
                {.label = "voters M", .logarithmic = true, .text = plain},
                {.label = "mean − mean without noise", .logarithmic = true, .text = plain},
                numbers(row.at("voters")), {"batches of K", "batches of 1"},
                [&](std::size_t i, std::size_t k) {
                  const auto values = by_seed(row, i == 0 ? "batch" : "single", k);
                  return std::max(interval_of(values).mean - noiseless, 1e-12);
                })};
}

Interval floor_difference(const json& row) {
  return interval_of(by_seed(row, [](const json& seed) {
    return std::log(seed.at("sign").get<double>() / seed.at("sgd").get<double>());
  }));
}

Finding degrades_gracefully(const Rows& rows) {
  const auto& row = rows["signsgd/inverted-voters"];
  const auto counts = row.at("byzantine").get<std::vector<int>>();
  bool rises = true, breaks = true;
  for (const auto& seed : row.at("seeds")) {
    const auto f = numbers(seed.at("f"));
    const double start = seed.at("start");
    rises = rises && std::ranges::is_sorted(f);
    breaks = breaks && f[f.size() - 2] < start && start < f.back();
  }
  std::string text = fmt::format("means of the seeds: f(x₀) {:.0f}; f with",
                                 interval_of(by_seed(row, "start")).mean);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    text += fmt::format("{} {}: {:.3g}", i == 0 ? "" : ",", counts[i], mean_by_seed(row, "f", i));
  }
  return {.verdict = rises && breaks ? Verdict::holds : Verdict::fails, .measured = text};
}

Charts draw_inverted_voters(const Rows& rows) {
  const auto& row = rows["signsgd/inverted-voters"];
  return {chart("27 voters, some of which send the opposite sign",
                {.label = "inverted voters", .text = plain},
                {.label = "f after 2000 steps", .logarithmic = true, .text = plain},
                numbers(row.at("byzantine")), {"mean of the seeds"},
                [&](std::size_t, std::size_t k) { return mean_by_seed(row, "f", k); })};
}

}  // namespace

void add_signsgd_theorems(Paper& paper, Scale scale) {
  for (const auto& experiment :
       {sign_success(scale), two_point_noise(scale), large_batches(scale), vote_noise(scale),
        small_batches(scale), sparse_noise(scale), dense_noise(scale)}) {
    paper.experiments.push_back(experiment);
  }
  paper.claims.push_back(
      {.name = "error-bound",
       .claimed = "a sign is wrong with probability at most 2/(9S²), or 1/2 − S/(2√3) below "
                  "the critical ratio",
       .experiments = {"signs/success"},
       .decide = error_bound});
  paper.claims.push_back({.name = "bimodal",
                          .claimed = "without unimodal symmetric noise signSGD may diverge",
                          .experiments = {"signsgd/two-point-noise"},
                          .decide = two_points_diverge});
  paper.claims.push_back(
      {.name = "large-batch",
       .claimed = "Theorem 1: with batches of K the mean of ‖g‖₁ obeys its bound",
       .experiments = {"signsgd/large-batches"},
       .decide = [](const Rows& rows) { return means_obey(rows["signsgd/large-batches"]); }});
  paper.claims.push_back({.name = "vote-noise",
                          .claimed = "Theorem 2: M voters divide the term of the noise by √M",
                          .experiments = {"signsgd/vote-noise"},
                          .decide = vote_noise_falls,
                          .draw = draw_vote_noise});
  paper.claims.push_back(
      {.name = "small-batch",
       .claimed = "Theorem 1 of 1810.05291: the mixed norm obeys its bound at batch 1",
       .experiments = {"signsgd/small-batches"},
       .decide = [](const Rows& rows) { return means_obey(rows["signsgd/small-batches"]); }});
  paper.claims.push_back({.name = "sparse-noise",
                          .claimed = "where noise is sparse, signSGD ends lower than SGD",
                          .experiments = {"signsgd/sparse-noise"},
                          .decide = [](const Rows& rows) {
                            return below(floor_difference(rows["signsgd/sparse-noise"]), 0, 2,
                                         "Δ of log f");
                          }});
  paper.claims.push_back({.name = "dense-noise",
                          .claimed = "where noise is dense, signSGD has no such advantage",
                          .experiments = {"signsgd/dense-noise"},
                          .decide = [](const Rows& rows) {
                            return above(floor_difference(rows["signsgd/dense-noise"]),
                                         std::log(0.9), 2, "Δ of log f");
                          }});
}

void add_inverted_voters(Paper& paper, Scale scale) {
  paper.experiments.push_back(inverted_voters(scale));
  paper.experiments.push_back(inverted_voters_bound(scale));
  paper.claims.push_back(
      {.name = "adversaries-toy",
       .claimed = "with fewer than half of the voters inverted the vote still descends, by degrees",
       .experiments = {"signsgd/inverted-voters"},
       .decide = degrades_gracefully,
       .draw = draw_inverted_voters});
  paper.claims.push_back({.name = "adversaries-bound",
                          .claimed = "with a share α of the voters inverted, the mean of the norm "
                                     "obeys the bound with 1/(1 − 2α)",
                          .experiments = {"signsgd/inverted-voters-bound"},
                          .decide = [](const Rows& rows) {
                            return means_obey(rows["signsgd/inverted-voters-bound"]);
                          }});
}

}  // namespace terse::paper
