#include "examples/paper/sign_descent_claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "examples/paper/row_values.hpp"
#include "examples/paper/sign_descent_experiments.hpp"
#include "examples/paper/statistics.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

// ---- descent ------------------------------------------------------------------------------------

Finding plateau(const Rows& rows) {
  const auto& row = rows["signs/plateau"];
  std::vector<Case> cases;
  for (std::size_t i = 0; i < row.at("gamma").size(); ++i) {
    const auto mean = interval_of(by_seed(row, "mean", i));
    cases.push_back(
        {.excess = row.at("bound").at(i).get<double>() - mean.mean, .error = standard_error(mean)});
  }
  return all_of({within(slope_by_seed(row, "gamma", "second_half"), 0.8, 1.2, 3, "slope"),
                 in_all_cases(cases, "bound − mean")});
}

Charts draw_plateau(const Rows& rows) {
  const auto& row = rows["signs/plateau"];
  return {chart("Where the ρ-norm settles at a constant rate",
                {.label = "γ", .logarithmic = true, .text = plain},
                {.label = "‖g‖_ρ", .logarithmic = true, .text = plain}, numbers(row.at("gamma")),
                {"second half, mean of seeds", "bound γdL̄/2 + f(x₀)/(γK)"},
                [&](std::size_t i, std::size_t k) {
                  return i == 0 ? mean_by_seed(row, "second_half", k)
                                : row.at("bound").at(k).get<double>();
                })};
}

Finding rate(const Rows& rows) {
  const auto& row = rows["signs/rate"];
  auto finding = below(slope_by_seed(row, "steps", "rho_norm"), kRootBound, 3, "slope of ‖g‖_ρ");
  finding.measured += fmt::format("; of ‖g‖₁ {}", text_of(slope_by_seed(row, "steps", "norm"), 3));
  return finding;
}

Charts draw_rate(const Rows& rows) {
  const auto& row = rows["signs/rate"];
  return {chart("signSGD with γ₀/√(k + 1)",
                {.label = "steps K", .logarithmic = true, .text = plain},
                {.label = "mean over K steps and the seeds", .logarithmic = true, .text = plain},
                numbers(row.at("steps")), {"‖g‖_ρ", "‖g‖₁"}, [&](std::size_t i, std::size_t k) {
                  return mean_by_seed(row, i == 0 ? "rho_norm" : "norm", k);
                })};
}

Finding option_two_is_no_worse(const Rows& rows) {
  const auto& row = rows["signs/option-two"];
  double increases = 0;
  for (const auto& seed : row.at("seeds")) increases += seed.at("increases").get<double>();
  const auto ratio = interval_of(by_seed(row, [](const json& seed) {
    return std::log(seed.at("two").get<double>() / seed.at("one").get<double>());
  }));
  return all_of({{.verdict = increases == 0 ? Verdict::holds : Verdict::fails,
                  .measured = fmt::format("{:.0f} increases of f", increases)},
                 below(ratio, std::log(1.05), 3, "Δ of log mean ‖g‖_ρ")});
}

}  // namespace

void add_sign_descent(Paper& paper, Scale scale) {
  paper.experiments.push_back(sign_plateau(scale));
  paper.experiments.push_back(sign_rate(scale));
  paper.experiments.push_back(option_two(scale));
  paper.claims.push_back(
      {.name = "plateau",
       .claimed = "Theorem 1: at a constant rate ‖g‖_ρ settles at γ d L̄/2 or below",
       .experiments = {"signs/plateau"},
       .decide = plateau,
       .draw = draw_plateau});
  paper.claims.push_back({.name = "rate",
                          .claimed = "Theorem 1: the ρ-norm of the gradient falls with K^(−1/2)",
                          .experiments = {"signs/rate"},
                          .decide = rate,
                          .draw = draw_rate});
  paper.claims.push_back(
      {.name = "option-two",
       .claimed = "Theorem 2: option 2 never increases f, and its mean gradient is no worse",
       .experiments = {"signs/option-two"},
       .decide = option_two_is_no_worse});
}

// ---- nodes that disagree ------------------------------------------------------------------------

namespace {

Finding signs_stand_still(const Rows& rows) {
  const auto& row = rows["signs/counter-example"];
  const double signs = std::ranges::min(numbers(row.at("signs")));
  const double vote = std::ranges::min(numbers(row.at("vote")));
  return {.verdict = std::min(signs, vote) >= 1 - 1e-9 ? Verdict::holds : Verdict::fails,
          .measured = fmt::format("least f / f(x₀) at any rate: {:.6f} (signs), {:.6f} (vote)",
                                  signs, vote)};
}

Finding solves_it(const Rows& rows, const char* method) {
  const auto logs = by_seed(rows["signs/counter-example"], [&](const json& seed) {
    return std::log10(std::max(seed.at(method).get<double>(), std::numeric_limits<double>::min()));
  });
  return below(interval_of(logs), -3, 1, "log₁₀ of f / f(x₀)");
}

Finding falls_with_fourth_root(const Rows& rows, const char* experiment) {
  return below(slope_by_seed(rows[experiment], "steps", "norm"), kFourthRootBound, 3,
               "slope of ‖∇f‖");
}

Charts draw_ssdm(const Rows& rows) {
  const auto& row = rows["signs/ssdm-rate"];
  const auto& other = rows["signs/ssdm-partitioned"];
  return {chart(
      "SSDM of three nodes, β and γ of the theorem",
      {.label = "steps K", .logarithmic = true, .text = plain},
      {.label = "mean of ‖∇f‖ over K steps and the seeds", .logarithmic = true, .text = plain},
      numbers(row.at("steps")), {"shared data", "partitioned data"},
      [&](std::size_t i, std::size_t k) { return mean_by_seed(i == 0 ? row : other, "norm", k); })};
}

}  // namespace

void add_disagreeing_nodes(Paper& paper, Scale scale) {
  paper.experiments.push_back(counter_example(scale));
  paper.experiments.push_back(ssdm_rate(scale));
  paper.experiments.push_back(ssdm_partitioned(scale));
  paper.claims.push_back({.name = "counter-example",
                          .claimed = "signs of single nodes stand still where nodes disagree",
                          .experiments = {"signs/counter-example"},
                          .decide = signs_stand_still});
  paper.claims.push_back({.name = "counter-example-ssdm",
                          .claimed = "SSDM solves the counter-example",
                          .experiments = {"signs/counter-example"},
                          .decide = [](const Rows& rows) { return solves_it(rows, "ssdm"); }});
  paper.claims.push_back({.name = "counter-example-feedback",
                          .claimed = "error feedback solves the counter-example (1901.09847)",
                          .experiments = {"signs/counter-example"},
                          .decide = [](const Rows& rows) { return solves_it(rows, "feedback"); }});
  paper.claims.push_back(
      {.name = "ssdm-rate",
       .claimed = "SSDM's mean gradient falls with K^(−1/4)",
       .experiments = {"signs/ssdm-rate"},
       .decide = [](const Rows& rows) { return falls_with_fourth_root(rows, "signs/ssdm-rate"); }});
  paper.claims.push_back(
      {.name = "ssdm-partitioned",
       .claimed = "SSDM converges on partitioned data (withdrawn by the authors in version 6)",
       .experiments = {"signs/ssdm-partitioned", "signs/ssdm-rate"},
       .decide =
           [](const Rows& rows) { return falls_with_fourth_root(rows, "signs/ssdm-partitioned"); },
       .draw = draw_ssdm});
}

}  // namespace terse::paper
