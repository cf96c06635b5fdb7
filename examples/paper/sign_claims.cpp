#include "examples/paper/sign_claims.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/row_values.hpp"
#include "examples/paper/sign_experiments.hpp"
#include "examples/paper/statistics.hpp"
#include "tersegrad/optim/problems/sign_laws.hpp"

namespace terse::paper {
namespace {

using problems::gauss_bound;
using problems::rho_bound;
using problems::vote_success;

// ---- one sign -----------------------------------------------------------------------------------

Finding sign_bound(const Rows& rows) {
  std::vector<Case> cases;
  for (const auto& c : rows["signs/success"].at("cases")) {
    cases.push_back(
        {.excess = c.at("rho").get<double>() - rho_bound(c.at("snr")), .error = c.at("error")});
  }
  return in_all_cases(cases, "ρ − bound");
}

Finding bounds_order(const Rows& rows) {
  std::vector<Case> cases;
  for (const auto& c : rows["signs/success"].at("cases")) {
    if (c.at("noise") != "normal") continue;
    const double gauss = gauss_bound(c.at("snr"));
    cases.push_back({.excess = gauss - rho_bound(c.at("snr")), .error = 0});
    cases.push_back({.excess = c.at("rho").get<double>() - gauss, .error = c.at("error")});
  }
  return in_all_cases(cases, "difference");
}

Charts draw_sign_bound(const Rows& rows) {
  std::map<std::string, std::map<double, std::vector<double>>> measured;
  for (const auto& c : rows["signs/success"].at("cases")) {
    measured[c.at("noise")][c.at("snr")].push_back(c.at("rho"));
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
  for (const auto& c : rows["signs/batches"].at("cases")) {
    const double bound = 1 - c.at("c").get<double>() / c.at("tau").get<double>();
    cases.push_back({.excess = c.at("rho").get<double>() - bound, .error = c.at("error")});
  }
  return in_all_cases(cases, "ρ − bound");
}

}  // namespace

void add_sign_success(Paper& paper, Scale scale) {
  paper.experiments.push_back(sign_success(scale));
  paper.experiments.push_back(batch_success(scale));
  paper.claims.push_back(
      {.name = "sign-bound",
       .claimed = "Lemma 1: with unimodal symmetric noise ρ ≥ 1/2 + S/(2(S + √3))",
       .experiments = {"signs/success"},
       .decide = sign_bound,
       .draw = draw_sign_bound});
  paper.claims.push_back({.name = "bounds-order",
                          .claimed = "Lemma 1's bound lies below Gauss's, which lies below ρ",
                          .experiments = {"signs/success"},
                          .decide = bounds_order});
  paper.claims.push_back(
      {.name = "batch-bound",
       .claimed = "Lemma 2: if σ² ≤ c g², a batch τ > 2c gives ρ ≥ 1 − c/τ, whatever the noise",
       .experiments = {"signs/batches"},
       .decide = batch_bound});
}

// ---- votes --------------------------------------------------------------------------------------

namespace {

Finding vote_beta(const Rows& rows) {
  std::vector<Deviation> deviations;
  for (const auto& c : rows["signs/votes"].at("cases")) {
    deviations.push_back(
        {.difference = c.at("success").get<double>() - c.at("stated").get<double>(),
         .error = c.at("error")});
  }
  return agrees_in_all_cases(deviations, "measured − stated");
}

Finding vote_pairs(const Rows& rows) {
  std::vector<Deviation> deviations;
  const auto& all = rows["signs/votes"].at("cases");
  for (const auto& even : all) {
    for (const auto& odd : all) {
      if (even.at("nodes").get<int>() % 2 == 1 ||
          even.at("nodes") != odd.at("nodes").get<int>() + 1 || even.at("rho") != odd.at("rho") ||
          even.at("seed") != odd.at("seed")) {
        continue;
      }
      deviations.push_back(
          {.difference = even.at("success").get<double>() - odd.at("success").get<double>(),
           .error = std::hypot(even.at("error").get<double>(), odd.at("error").get<double>())});
    }
  }
  return agrees_in_all_cases(deviations, "P(right) of 2l nodes − P(right) of 2l − 1");
}

Charts draw_votes(const Rows& rows) {
  std::map<double, std::map<double, std::vector<double>>> measured;
  for (const auto& c : rows["signs/votes"].at("cases")) {
    measured[c.at("rho")][c.at("nodes")].push_back(c.at("success"));
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
  return in_all_cases(cases, "distance to a bound");
}

}  // namespace

void add_vote_success(Paper& paper, Scale scale) {
  paper.experiments.push_back(vote_success_rates(scale));
  paper.claims.push_back({.name = "vote-beta",
                          .claimed = "a vote of M nodes is right with probability I(ρ; l, l)",
                          .experiments = {"signs/votes"},
                          .decide = vote_beta,
                          .draw = draw_votes});
  paper.claims.push_back({.name = "vote-pairs",
                          .claimed = "a vote of 2l nodes is as good as one of 2l − 1",
                          .experiments = {"signs/votes"},
                          .decide = vote_pairs});
  paper.claims.push_back(
      {.name = "vote-exponential",
       .claimed = "the norm of a vote obeys (1 − exp(−(2ρ−1)² l)) ‖g‖₁ ≤ ‖g‖_ρM ≤ ‖g‖₁",
       .experiments = {},
       .decide = vote_exponential});
}

}  // namespace terse::paper
