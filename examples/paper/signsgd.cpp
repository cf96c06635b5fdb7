// Bernstein et al., "signSGD", arXiv 1802.04434, and "signSGD with Majority Vote", 1810.05291.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examples/paper/claim.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/noise_experiments.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/sign_experiments.hpp"
#include "examples/paper/signsgd_experiments.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/vote_claims.hpp"
#include "tersegrad/optim/problems/sign_laws.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

// ---- theorems -----------------------------------------------------------------------------------

Finding error_bound(const Rows& rows) {
  std::vector<Case> cases;
  for (const auto& c : rows["signs/success"]["cases"]) {
    const double least = problems::gauss_bound(c["snr"]);
    cases.push_back({.excess = c["rho"].get<double>() - least, .error = c["error"]});
  }
  return in_all_cases(cases, "bound − P(wrong)");
}

Finding two_points_diverge(const Rows& rows) {
  const auto logs = by_seed(rows["signsgd/two-point-noise"],
                            [](const json& seed) { return std::log(seed["ratio"].get<double>()); });
  return above(interval_of(logs), 0, 2, "log of f / f(x₀)");
}

// The means over the seeds against their bounds, which hold for expectations.
Finding means_obey(const json& row) {
  std::vector<Case> cases;
  for (const auto& c : row["cases"]) {
    const auto mean = interval_of(numbers(c["means"]));
    const double bound = c["bound"];
    cases.push_back({.excess = 1 - mean.mean / bound, .error = standard_error(mean) / bound});
  }
  return in_all_cases(cases, "1 − mean / bound");
}

// mean − that without noise, by the number of voters.
Interval slope_of_excess(const json& row, const char* key) {
  const double noiseless = row["noiseless"];
  return interval_of(by_seed(row, [&](const json& seed) {
    auto values = numbers(seed[key]);
    for (double& value : values) value = std::max(value - noiseless, 1e-12);
    return log_slope(numbers(row["voters"]), values);
  }));
}

Finding vote_noise_falls(const Rows& rows) {
  const auto& row = rows["signsgd/vote-noise"];
  std::vector<Case> cases;
  for (std::size_t i = 0; i < row["voters"].size(); ++i) {
    const auto mean =
        interval_of(by_seed(row, [&](const json& seed) { return seed["batch"][i].get<double>(); }));
    const double bound = row["bound"][i];
    cases.push_back({.excess = 1 - mean.mean / bound, .error = standard_error(mean) / bound});
  }
  auto slope = below(slope_of_excess(row, "batch"), -3.0 / 8, 3, "slope over M");
  slope.measured +=
      fmt::format("; with batches of 1 {}", text_of(slope_of_excess(row, "single"), 3));
  return all_of({in_all_cases(cases, "1 − mean / bound"), slope});
}

Charts draw_vote_noise(const Rows& rows) {
  const auto& row = rows["signsgd/vote-noise"];
  const double noiseless = row["noiseless"];
  return {chart("What noise adds to the mean of ‖g‖₁, by voters",
                {.label = "voters M", .logarithmic = true, .text = plain},
                {.label = "mean − mean without noise", .logarithmic = true, .text = plain},
                numbers(row["voters"]), {"batches of K", "batches of 1"},
                [&](std::size_t i, std::size_t k) {
                  const auto values = by_seed(row, [&](const json& seed) {
                    return seed[i == 0 ? "batch" : "single"][k].get<double>();
                  });
                  return std::max(interval_of(values).mean - noiseless, 1e-12);
                })};
}

// ---- sparse and dense noise ---------------------------------------------------------------------

Interval floor_difference(const json& row) {
  return interval_of(by_seed(row, [](const json& seed) {
    return std::log(seed["sign"].get<double>() / seed["sgd"].get<double>());
  }));
}

// ---- inverted voters ----------------------------------------------------------------------------

Finding degrades_gracefully(const Rows& rows) {
  const auto& row = rows["signsgd/inverted-voters"];
  const auto counts = row["byzantine"].get<std::vector<int>>();
  bool rises = true, breaks = true;
  for (const auto& seed : row["seeds"]) {
    const auto f = numbers(seed["f"]);
    const double start = seed["start"];
    rises = rises && std::ranges::is_sorted(f);
    breaks = breaks && f[f.size() - 2] < start && start < f.back();
  }
  std::string text = fmt::format("f(x₀) {:.0f}; f with", row["seeds"][0]["start"].get<double>());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    text += fmt::format("{} {}: {:.3g}", i == 0 ? "" : ",", counts[i],
                        row["seeds"][0]["f"][i].get<double>());
  }
  return {.verdict = rises && breaks ? Verdict::holds : Verdict::fails, .measured = text};
}

Charts draw_inverted_voters(const Rows& rows) {
  const auto& row = rows["signsgd/inverted-voters"];
  return {
      chart("27 voters, some of which send the opposite sign",
            {.label = "inverted voters", .text = plain},
            {.label = "f after 2000 steps", .logarithmic = true, .text = plain},
            numbers(row["byzantine"]), {"mean of the seeds"}, [&](std::size_t, std::size_t k) {
              return interval_of(
                         by_seed(row, [&](const json& seed) { return seed["f"][k].get<double>(); }))
                  .mean;
            })};
}

// ---- the noise of a network's gradients ---------------------------------------------------------

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
                                     for (const auto& epoch : seed["epochs"]) {
                                       least =
                                           std::min(least, epoch["density_noise"].get<double>() /
                                                               epoch["density_mean"].get<double>());
                                     }
                                     return std::log(least);
                                   })),
               std::log(0.5), 2, "least log of φ(σ)/φ(g)");
}

Charts draw_noise(const json& row) {
  const auto of = [&](const char* key) {
    std::vector<double> values;
    for (const auto& epoch : row["seeds"][0]["epochs"]) values.push_back(epoch[key]);
    return values;
  };
  const run::ChartAxis epochs = {.label = "epochs", .text = plain};
  const auto x = of("epoch");
  const std::vector<std::string> shapes = {"asymmetric", "several_modes"};
  const std::vector<std::string> densities = {"density_mean", "density_noise"};
  return {chart("Density of the gradient and of its noise", epochs, {.label = "φ", .text = plain},
                x, {"φ(g)", "φ(σ)"},
                [&](std::size_t i, std::size_t k) { return of(densities[i].c_str())[k]; }),
          chart("Coordinates whose noise fails a test at 5 %", epochs,
                {.label = "share of 200", .text = plain}, x, {"symmetry", "one mode"},
                [&](std::size_t i, std::size_t k) { return of(shapes[i].c_str())[k]; }),
          chart("Signal-to-noise ratio", epochs, {.label = "mean of |g|/σ", .text = plain}, x,
                {"mean"}, [&](std::size_t, std::size_t k) { return of("snr_mean")[k]; })};
}

void add_noise_claims(Paper& paper, Scale scale) {
  const auto n = lenet(scale);
  paper.experiments.push_back(gradient_noise(n));
  const auto add = [&](const char* name, const char* claimed,
                       std::function<Finding(const json&)> decide, bool picture = false) {
    Claim claim{.name = name,
                .claimed = claimed,
                .experiments = {noise_of(n)},
                .decide = [=](const Rows& rows) { return decide(rows[noise_of(n)]); }};
    if (picture) claim.draw = [=](const Rows& rows) { return draw_noise(rows[noise_of(n)]); };
    paper.claims.push_back(std::move(claim));
  };
  add(
      "density", "gradients stay dense: φ(g) is far above 1/d",
      [](const json& row) {
        return above(interval_of(over_epochs(row, "density_mean", least)), 0.05, 3, "least φ(g)");
      },
      true);
  add("density-noise", "the noise of a gradient is no sparser than the gradient",
      noise_is_no_sparser);
  add("noise-symmetric", "noise at batch 128 is symmetric", [](const json& row) {
    auto finding = below(interval_of(over_epochs(row, "asymmetric", most)), 0.1, 3,
                         "largest share that fails");
    finding.measured += fmt::format("; largest mean of |mean − median|/σ {}",
                                    text_of(interval_of(over_epochs(row, "skew", most)), 3));
    return finding;
  });
  add("noise-unimodal", "noise at batch 128 is unimodal", [](const json& row) {
    return below(interval_of(over_epochs(row, "several_modes", most)), 0.1, 3,
                 "largest share that fails");
  });
  add("snr-falls", "signal-to-noise ratios fall below 2/√3 during training", snr_falls);
}

// ---- trained models -----------------------------------------------------------------------------

const Method kAdam{.name = "adam", .optimizer = "adam", .rate = 0.002};
const Method kSignum{.name = "signum", .optimizer = "signum:beta=0.9", .rate = 0.001};

void add_signum_claims(Paper& paper, Scale scale) {
  using Picture = TrainedClaims::Picture;
  TrainedClaims on_lenet(paper, lenet(scale));
  on_lenet.add("signum-adam", "Signum performs as Adam does", {kSignum, kAdam},
               [](const Rows& rows, const Setting& s) { return no_loss(rows, s, kSignum, kAdam); });
  on_lenet.add(
      "signum-sgd", "Signum is a little below tuned SGD", {kSignum, kSgd},
      [](const Rows& rows, const Setting& s) {
        return within(gain(rows, s, kSignum, kSgd), -3, 0, 2, "Δ signum − sgd:");
      },
      Picture::curves);
  on_lenet.add("signum-signsgd", "momentum helps signSGD", {kSignum, kSignSgd},
               [](const Rows& rows, const Setting& s) {
                 return above(gain(rows, s, kSignum, kSignSgd), 0, 2, "Δ signum − signsgd:");
               });
}

void add_vote_accuracy(Paper& paper, Scale scale) {
  TrainedClaims on_resnet(paper, resnet20(scale));
  on_resnet.add(
      "vote-accuracy", "a vote costs little accuracy against distributed SGD", {kVote, kSgd},
      [](const Rows& rows, const Setting& s) { return no_loss(rows, s, kVote, kSgd); },
      TrainedClaims::Picture::curves);
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

}  // namespace

Paper signsgd(Scale scale) {
  Paper paper = {
      .number = "1802.04434",
      .title = "signSGD: compressed optimisation for non-convex problems, and majority vote",
      .symbols =
          "lenet and resnet20 are the models N and R of the table, and vote has the momentum "
          "0.9 in training. g is the gradient, σ the standard deviation of a stochastic one, "
          "coordinate by "
          "coordinate; S = |g|/σ is the signal-to-noise ratio, and 2/√3 is critical; "
          "φ(v) = ‖v‖₁²/(d ‖v‖₂²) is the density of a vector with d entries: 1 if all are "
          "equally large, 1/d if only one is not zero. K is the number of steps, M the number of "
          "voters, x₀ the start. A mixed norm is quadratic where S is below its critical "
          "value, and linear elsewhere.",
      .claims =
          {{.name = "error-bound",
            .claimed = "a sign is wrong with probability at most 2/(9S²), or 1/2 − S/(2√3) below "
                       "the critical ratio",
            .experiments = {"signs/success"},
            .decide = error_bound},
           {.name = "bimodal",
            .claimed = "without unimodal symmetric noise signSGD may diverge",
            .experiments = {"signsgd/two-point-noise"},
            .decide = two_points_diverge},
           {.name = "large-batch",
            .claimed = "Theorem 1: with batches of K the mean of ‖g‖₁ obeys its bound",
            .experiments = {"signsgd/large-batches"},
            .decide = [](const Rows& rows) { return means_obey(rows["signsgd/large-batches"]); }},
           {.name = "vote-noise",
            .claimed = "Theorem 2: M voters divide the term of the noise by √M",
            .experiments = {"signsgd/vote-noise"},
            .decide = vote_noise_falls,
            .draw = draw_vote_noise},
           {.name = "small-batch",
            .claimed = "Theorem 1 of 1810.05291: the mixed norm obeys its bound at batch 1",
            .experiments = {"signsgd/small-batches"},
            .decide = [](const Rows& rows) { return means_obey(rows["signsgd/small-batches"]); }},
           {.name = "sparse-noise",
            .claimed = "where noise is sparse, signSGD ends lower than SGD",
            .experiments = {"signsgd/sparse-noise"},
            .decide =
                [](const Rows& rows) {
                  return below(floor_difference(rows["signsgd/sparse-noise"]), 0, 2, "Δ of log f");
                }},
           {.name = "dense-noise",
            .claimed = "where noise is dense, signSGD has no such advantage",
            .experiments = {"signsgd/dense-noise"},
            .decide =
                [](const Rows& rows) {
                  return above(floor_difference(rows["signsgd/dense-noise"]), std::log(0.9), 2,
                               "Δ of log f");
                }}},
      .experiments = {sign_success(scale), two_point_noise(scale), large_batches(scale),
                      vote_noise(scale), small_batches(scale), sparse_noise(scale),
                      dense_noise(scale)}};
  add_adam_limit(paper, scale);
  add_noise_claims(paper, scale);
  add_signum_claims(paper, scale);
  add_small_rate(paper, scale);
  add_batch_sweep(paper, scale);
  add_vote_workers(paper, scale);
  add_vote_accuracy(paper, scale);
  add_vote_traffic(paper, scale);
  add_inverted_voters(paper, scale);
  add_adversaries(paper, scale);
  add_communication(paper, scale);
  return paper;
}

}  // namespace terse::paper
