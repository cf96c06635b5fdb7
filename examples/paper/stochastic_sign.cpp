// Safaryan and Richtárik, "Stochastic Sign Descent Methods", arXiv 1905.12938.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "examples/paper/claim.hpp"
#include "examples/paper/perceptron_claims.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/sign_experiments.hpp"
#include "examples/paper/statistics.hpp"
#include "tersegrad/optim/problems/sign_laws.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;
using problems::gauss_bound;
using problems::rho_bound;
using problems::vote_success;

// ---- one sign -----------------------------------------------------------------------------------

Finding sign_bound(const Rows& rows) {
  std::vector<Case> cases;
  for (const auto& c : rows["signs/success"]["cases"]) {
    cases.push_back({.excess = c["rho"].get<double>() - rho_bound(c["snr"]), .error = c["error"]});
  }
  return in_all_cases(cases, "ρ − bound");
}

Finding bounds_order(const Rows& rows) {
  std::vector<Case> cases;
  for (const auto& c : rows["signs/success"]["cases"]) {
    if (c["noise"] != "normal") continue;
    const double gauss = gauss_bound(c["snr"]);
    cases.push_back({.excess = gauss - rho_bound(c["snr"]), .error = 0});
    cases.push_back({.excess = c["rho"].get<double>() - gauss, .error = c["error"]});
  }
  return in_all_cases(cases, "difference");
}

Charts draw_sign_bound(const Rows& rows) {
  std::map<std::string, std::map<double, std::vector<double>>> measured;
  for (const auto& c : rows["signs/success"]["cases"]) {
    measured[c["noise"]][c["snr"]].push_back(c["rho"]);
  }
  run::LineChart result{
      .title = "How often the sign of a noisy gradient is right",
      .x = {.label = "signal-to-noise ratio S", .logarithmic = true, .text = plain},
      .y = {.label = "ρ", .text = plain},
      .curves = {}};
  for (const auto& [noise, by_ratio] : measured) {
    run::Curve curve{.name = noise + " noise", .points = {}};
    for (const auto& [snr, rhos] : by_ratio) curve.points.emplace_back(snr, interval_of(rhos).mean);
    result.curves.push_back(std::move(curve));
  }
  run::Curve gauss{.name = "Gauss's bound", .points = {}}, lemma{.name = "Lemma 1", .points = {}};
  for (const auto& [snr, _] : measured.begin()->second) {
    gauss.points.emplace_back(snr, gauss_bound(snr));
    lemma.points.emplace_back(snr, rho_bound(snr));
  }
  result.curves.push_back(std::move(gauss));
  result.curves.push_back(std::move(lemma));
  return {result};
}

Finding batch_bound(const Rows& rows) {
  std::vector<Case> cases;
  for (const auto& c : rows["signs/batches"]["cases"]) {
    const double bound = 1 - c["c"].get<double>() / c["tau"].get<double>();
    cases.push_back({.excess = c["rho"].get<double>() - bound, .error = c["error"]});
  }
  return in_all_cases(cases, "ρ − bound");
}

// ---- descent ------------------------------------------------------------------------------------

Finding plateau(const Rows& rows) {
  const auto& row = rows["signs/plateau"];
  std::vector<Case> cases;
  for (std::size_t i = 0; i < row["gamma"].size(); ++i) {
    const auto mean =
        interval_of(by_seed(row, [&](const json& seed) { return seed["mean"][i].get<double>(); }));
    cases.push_back(
        {.excess = row["bound"][i].get<double>() - mean.mean, .error = standard_error(mean)});
  }
  return all_of({within(slope_by_seed(row, "gamma", "second_half"), 0.8, 1.2, 3, "slope"),
                 in_all_cases(cases, "bound − mean")});
}

Charts draw_plateau(const Rows& rows) {
  const auto& row = rows["signs/plateau"];
  const auto& first = row["seeds"][0];
  return {chart("Where the ρ-norm settles at a constant rate",
                {.label = "γ", .logarithmic = true, .text = plain},
                {.label = "‖g‖_ρ", .logarithmic = true, .text = plain}, numbers(row["gamma"]),
                {"mean, second half", "bound γ d L / 2"}, [&](std::size_t i, std::size_t k) {
                  return i == 0 ? first["second_half"][k].get<double>()
                                : row["gamma"][k].get<double>() * 10 / 2;
                })};
}

// An upper bound with this exponent holds if the slope is below it by no more than an eighth.
constexpr double kEighth = 0.125;

Finding rate(const Rows& rows) {
  const auto& row = rows["signs/rate"];
  auto finding =
      below(slope_by_seed(row, "steps", "rho_norm"), -0.5 + kEighth, 3, "slope of ‖g‖_ρ");
  finding.measured += fmt::format("; of ‖g‖₁ {}", text_of(slope_by_seed(row, "steps", "norm"), 3));
  return finding;
}

Charts draw_rate(const Rows& rows) {
  const auto& row = rows["signs/rate"];
  const auto& first = row["seeds"][0];
  return {chart("signSGD with γ₀/√(k + 1)",
                {.label = "steps K", .logarithmic = true, .text = plain},
                {.label = "mean over K steps", .logarithmic = true, .text = plain},
                numbers(row["steps"]), {"‖g‖_ρ", "‖g‖₁"}, [&](std::size_t i, std::size_t k) {
                  return first[i == 0 ? "rho_norm" : "norm"][k].get<double>();
                })};
}

Finding option_two_is_no_worse(const Rows& rows) {
  const auto& row = rows["signs/option-two"];
  double increases = 0;
  for (const auto& seed : row["seeds"]) increases += seed["increases"].get<double>();
  const auto ratio = interval_of(by_seed(row, [](const json& seed) {
    return std::log(seed["two"].get<double>() / seed["one"].get<double>());
  }));
  return all_of({{.verdict = increases == 0 ? Verdict::holds : Verdict::fails,
                  .measured = fmt::format("{:.0f} increases of f", increases)},
                 below(ratio, std::log(1.05), 3, "Δ of log mean ‖g‖_ρ")});
}

// ---- votes --------------------------------------------------------------------------------------

Finding vote_beta(const Rows& rows) {
  std::vector<Case> cases;
  for (const auto& c : rows["signs/votes"]["cases"]) {
    cases.push_back({.excess = -std::abs(c["success"].get<double>() - c["stated"].get<double>()),
                     .error = c["error"]});
  }
  return in_all_cases(cases, "−|measured − stated|");
}

Finding vote_pairs(const Rows& rows) {
  std::vector<Case> cases;
  const auto& all = rows["signs/votes"]["cases"];
  for (const auto& even : all) {
    for (const auto& odd : all) {
      if (even["nodes"].get<int>() % 2 == 1 || even["nodes"] != odd["nodes"].get<int>() + 1 ||
          even["rho"] != odd["rho"] || even["seed"] != odd["seed"]) {
        continue;
      }
      cases.push_back(
          {.excess = -std::abs(even["success"].get<double>() - odd["success"].get<double>()),
           .error = std::hypot(even["error"].get<double>(), odd["error"].get<double>())});
    }
  }
  return in_all_cases(cases, "−|difference|");
}

Charts draw_votes(const Rows& rows) {
  std::map<double, std::map<double, std::vector<double>>> measured;
  for (const auto& c : rows["signs/votes"]["cases"]) {
    measured[c["rho"]][c["nodes"]].push_back(c["success"]);
  }
  run::LineChart result{.title = "How often a vote is right; 2l nodes are as good as 2l − 1",
                        .x = {.label = "nodes M", .text = plain},
                        .y = {.label = "P(right)", .text = plain},
                        .curves = {}};
  for (const auto& [rho, by_nodes] : measured) {
    run::Curve curve{.name = fmt::format("ρ = {:g}", rho), .points = {}};
    for (const auto& [nodes, shares] : by_nodes) {
      curve.points.emplace_back(nodes, interval_of(shares).mean);
    }
    result.curves.push_back(std::move(curve));
  }
  return {result};
}

Finding vote_exponential(const Rows&) {
  constexpr double kRounding = 1e-13;
  std::vector<Case> cases;
  for (std::uint32_t l = 1; l <= 26; ++l) {
    for (int percent = 51; percent < 100; ++percent) {
      const double rho = percent / 100.0;
      const double norm = 2 * vote_success(rho, 2 * l - 1) - 1;  // of a gradient with ‖g‖₁ = 1
      const double margin = 2 * rho - 1;
      cases.push_back({.excess = norm - (1 - std::exp(-margin * margin * l)), .error = kRounding});
      cases.push_back({.excess = 1 - norm, .error = kRounding});
    }
  }
  return in_all_cases(cases, "difference");
}

// ---- Rosenbrock's function ----------------------------------------------------------------------

// value(run) of every seed of the runs with this batch; the rates one after the other.
std::vector<double> of_batch(const json& row, int batch, const char* key) {
  std::vector<double> values;
  for (const auto& run : row["runs"]) {
    if (run["batch"] != batch) continue;
    for (const auto& seed : run["seeds"]) values.push_back(seed[key]);
  }
  return values;
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
  auto f1 = of_batch(row, 1, "f"), f8 = of_batch(row, 8, "f");
  for (double& f : f1) f = std::log10(f);
  for (double& f : f8) f = std::log10(f);
  const auto margin1 = interval_of(of_batch(row, 1, "least"));
  const auto margin8 = interval_of(of_batch(row, 8, "least"));
  const double error = 5 / std::sqrt(row["samples"].get<double>());  // of one margin, at most
  return all_of({below(interval_of(differences(f8, f1)), -1, 2, "Δ of log₁₀ f, batch 8 − 1:"),
                 lies_beyond(margin1, -error, "smallest margin of batch 1"),
                 lies_beyond(margin8, error, "of batch 8")});
}

Charts draw_threshold(const Rows& rows) {
  const auto& runs = rows["rosenbrock/noise"]["runs"];
  const auto curve_of = [](const json& run, const char* key) {
    run::Curve curve{.name = fmt::format("batch {}", run["batch"].get<int>()), .points = {}};
    for (const auto& point : run["seeds"][0]["points"]) {
      curve.points.emplace_back(point["step"].get<double>(), point[key].get<double>());
    }
    return curve;
  };
  const run::ChartAxis steps = {.label = "steps", .text = plain};
  run::LineChart f{.title = "Rosenbrock, γ = 0.01: f by batch",
                   .x = steps,
                   .y = {.label = "f", .logarithmic = true, .text = plain},
                   .curves = {}},
      margin{.title = "P(right) − P(wrong) of the worst coordinate",
             .x = steps,
             .y = {.label = "", .text = plain},
             .curves = {}},
      histogram{.title = "All coordinates along the run",
                .x = {.label = "P(right) − P(wrong)", .text = plain},
                .y = {.label = "share", .text = plain},
                .curves = {}};
  for (const auto& run : runs) {
    if (run["gamma"] != 0.01) continue;
    f.curves.push_back(curve_of(run, "f"));
    margin.curves.push_back(curve_of(run, "least"));
    std::vector<double> counts;
    for (const auto& seed : run["seeds"]) {
      const auto of_seed = numbers(seed["histogram"]);
      counts.resize(of_seed.size());
      std::ranges::transform(counts, of_seed, counts.begin(), std::plus<>());
    }
    const double all = std::accumulate(counts.begin(), counts.end(), 0.0);
    const auto bins = static_cast<double>(counts.size());
    run::Curve curve{.name = fmt::format("batch {}", run["batch"].get<int>()), .points = {}};
    for (std::size_t bin = 0; bin < counts.size(); ++bin) {
      curve.points.emplace_back((static_cast<double>(bin) + 0.5) / bins * 2 - 1, counts[bin] / all);
    }
    histogram.curves.push_back(std::move(curve));
  }
  return {f, margin, histogram};
}

Finding vote_descent(const Rows& rows) {
  const auto& row = rows["rosenbrock/votes"];
  const auto logs = [&](std::uint32_t nodes) {
    for (std::size_t i = 0; i < row["nodes"].size(); ++i) {
      if (row["nodes"][i] != nodes) continue;
      auto values = numbers(row["f"][i]);
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
                {.label = "f", .logarithmic = true, .text = plain}, numbers(row["nodes"]),
                {"mean of the seeds"}, [&](std::size_t, std::size_t k) {
                  return interval_of(numbers(row["f"][k])).mean;
                })};
}

// ---- nodes that disagree ------------------------------------------------------------------------

Finding signs_stand_still(const Rows& rows) {
  const auto& row = rows["signs/counter-example"];
  const double signs = std::ranges::min(numbers(row["signs"]));
  const double vote = std::ranges::min(numbers(row["vote"]));
  return {.verdict = std::min(signs, vote) >= 1 - 1e-9 ? Verdict::holds : Verdict::fails,
          .measured = fmt::format("least f / f(x₀) at any rate: {:.6f} (signs), {:.6f} (vote)",
                                  signs, vote)};
}

Finding solves_it(const Rows& rows, const char* method) {
  const auto logs = by_seed(rows["signs/counter-example"], [&](const json& seed) {
    return std::log10(std::max(seed[method].get<double>(), std::numeric_limits<double>::min()));
  });
  return below(interval_of(logs), -3, 1, "log₁₀ of f / f(x₀)");
}

Finding falls_with_fourth_root(const Rows& rows, const char* experiment) {
  return below(slope_by_seed(rows[experiment], "steps", "norm"), -0.25 + kEighth, 3,
               "slope of ‖∇f‖");
}

Charts draw_ssdm(const Rows& rows) {
  const auto& row = rows["signs/ssdm-rate"];
  const auto& other = rows["signs/ssdm-partitioned"];
  return {chart("SSDM of three nodes, β and γ of the theorem",
                {.label = "steps K", .logarithmic = true, .text = plain},
                {.label = "mean of ‖∇f‖", .logarithmic = true, .text = plain},
                numbers(row["steps"]), {"shared data", "partitioned data"},
                [&](std::size_t i, std::size_t k) {
                  return (i == 0 ? row : other)["seeds"][0]["norm"][k].get<double>();
                })};
}

}  // namespace

Paper stochastic_sign_descent(Scale scale) {
  Paper paper = {
      .number = "1905.12938",
      .title = "Stochastic Sign Descent Methods",
      .symbols =
          "g is the gradient, σ the standard deviation of a stochastic one, S = |g|/σ "
          "coordinate by coordinate; ρ is the probability that a stochastic gradient's sign "
          "is that of g, and its margin is 2ρ − 1, P(right) − P(wrong); "
          "‖g‖_ρ = Σ (2ρ − 1)|g| over the coordinates, and ‖g‖_ρM the same for a vote of M "
          "nodes; M is 2l − 1 or 2l, and I is the regularised incomplete beta function. γ "
          "is the rate, K the number of steps, d that of coordinates, L̄ the mean of their "
          "smoothness constants, x₀ the start.",
      .claims =
          {
              {.name = "sign-bound",
               .claimed = "Lemma 1: with unimodal symmetric noise ρ ≥ 1/2 + S/(2(S + √3))",
               .experiments = {"signs/success"},
               .decide = sign_bound,
               .draw = draw_sign_bound},
              {.name = "bounds-order",
               .claimed = "Lemma 1's bound lies below Gauss's, which lies below ρ",
               .experiments = {"signs/success"},
               .decide = bounds_order},
              {.name = "batch-bound",
               .claimed = "Lemma 2: if σ² ≤ c g², a batch τ > 2c gives ρ ≥ 1 − c/τ, whatever the "
                          "noise",
               .experiments = {"signs/batches"},
               .decide = batch_bound},
              {.name = "plateau",
               .claimed = "Theorem 1: at a constant rate ‖g‖_ρ settles at γ d L̄/2 or below",
               .experiments = {"signs/plateau"},
               .decide = plateau,
               .draw = draw_plateau},
              {.name = "rate",
               .claimed = "Theorem 1: the ρ-norm of the gradient falls with K^(−1/2)",
               .experiments = {"signs/rate"},
               .decide = rate,
               .draw = draw_rate},
              {.name = "option-two",
               .claimed =
                   "Theorem 2: option 2 never increases f, and its mean gradient is no worse",
               .experiments = {"signs/option-two"},
               .decide = option_two_is_no_worse},
              {.name = "vote-beta",
               .claimed = "a vote of M nodes is right with probability I(ρ; l, l)",
               .experiments = {"signs/votes"},
               .decide = vote_beta,
               .draw = draw_votes},
              {.name = "vote-pairs",
               .claimed = "a vote of 2l nodes is as good as one of 2l − 1",
               .experiments = {"signs/votes"},
               .decide = vote_pairs},
              {.name = "vote-exponential",
               .claimed = "the norm of a vote obeys (1 − exp(−(2ρ−1)² l)) ‖g‖₁ ≤ ‖g‖_ρM ≤ ‖g‖₁",
               .experiments = {},
               .decide = vote_exponential},
              {.name = "threshold",
               .claimed = "signs converge if the smallest ρ is above 1/2, and only then",
               .experiments = {"rosenbrock/noise"},
               .decide = threshold,
               .draw = draw_threshold},
              {.name = "vote-descent",
               .claimed = "with more nodes the vote reaches a lower value",
               .experiments = {"rosenbrock/votes"},
               .decide = vote_descent,
               .draw = draw_vote_descent},
              {.name = "counter-example",
               .claimed = "signs of single nodes stand still where nodes disagree",
               .experiments = {"signs/counter-example"},
               .decide = signs_stand_still},
              {.name = "counter-example-ssdm",
               .claimed = "SSDM solves the counter-example",
               .experiments = {"signs/counter-example"},
               .decide = [](const Rows& rows) { return solves_it(rows, "ssdm"); }},
              {.name = "counter-example-feedback",
               .claimed = "error feedback solves the counter-example (1901.09847)",
               .experiments = {"signs/counter-example"},
               .decide = [](const Rows& rows) { return solves_it(rows, "feedback"); }},
              {.name = "ssdm-rate",
               .claimed = "SSDM's mean gradient falls with K^(−1/4)",
               .experiments = {"signs/ssdm-rate"},
               .decide =
                   [](const Rows& rows) {
                     return falls_with_fourth_root(rows, "signs/ssdm-rate");
                   }},
              {.name = "ssdm-partitioned",
               .claimed = "SSDM converges on partitioned data (withdrawn by the authors in version "
                          "6)",
               .experiments = {"signs/ssdm-partitioned", "signs/ssdm-rate"},
               .decide =
                   [](const Rows& rows) {
                     return falls_with_fourth_root(rows, "signs/ssdm-partitioned");
                   },
               .draw = draw_ssdm},
          },
      .experiments = {sign_success(scale), batch_success(scale), sign_plateau(scale),
                      sign_rate(scale), option_two(scale), vote_success_rates(scale),
                      rosenbrock_noise(scale), rosenbrock_votes(scale), counter_example(scale),
                      ssdm_rate(scale), ssdm_partitioned(scale)}};
  add_perceptron_claims(paper, scale);
  return paper;
}

}  // namespace terse::paper
