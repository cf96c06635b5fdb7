#include "examples/paper/asynchronous_claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "examples/paper/asynchronous_experiments.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

Finding one_worker_is_sgd(const Rows& rows) {
  const auto& row = rows["async/one-worker"];
  const bool equal = row["sgd"] == row["dense"] && row["sgd"] == row["all_entries"];
  return {.verdict = equal ? Verdict::holds : Verdict::fails,
          .measured = fmt::format("hashes of the models: SGD {}, one worker {}, with top 100 % {}",
                                  row["sgd"].get<std::string>(), row["dense"].get<std::string>(),
                                  row["all_entries"].get<std::string>())};
}

// ---- stable rates -------------------------------------------------------------------------------

// "1, 1, 0.5": the rates of the seeds.
std::string stable_rates_text(const std::vector<double>& exponents) {
  std::string text;
  for (const double e : exponents) {
    text += fmt::format("{}{:g}", text.empty() ? "" : ", ", std::exp2(e));
  }
  return text;
}

Finding stable_rate_falls(const Rows& rows) {
  const auto& row = rows["async/stable-rates"];
  const auto few = by_seed(row, "dense_1"), many = by_seed(row, "dense_64");
  auto finding = below(interval_of(differences(many, few)), 0, 1, "log₂ of the ratio:");
  finding.measured +=
      fmt::format("; largest stable rates of the seeds: ({}) for W = 1, ({}) for W = 64",
                  stable_rates_text(few), stable_rates_text(many));
  return finding;
}

Finding damping_is_stable_but_slower(const Rows& rows, const Setting& many) {
  const auto& row = rows["async/stable-rates"];
  const auto few = by_seed(row, "dense_1"), damped = by_seed(row, "damped_64");
  return all_of({{.verdict = few == damped ? Verdict::holds : Verdict::fails,
                  .measured = fmt::format(
                      "largest stable rates of the seeds: ({}) for W = 1, ({}) for W = 64 and "
                      "damped; log₂ of the ratio: {}",
                      stable_rates_text(few), stable_rates_text(damped),
                      text_of(interval_of(differences(damped, few)), 2))},
                 is_below(rows, many, damped_pushes(), dense_pushes(64), 0)});
}

// ---- momentum -----------------------------------------------------------------------------------

std::vector<double> best_momenta(const json& row, const char* workers) {
  return by_seed(row, [&](const json& seed) {
    const auto of_momenta = numbers(seed[workers]);
    const auto best = std::ranges::max_element(of_momenta) - of_momenta.begin();
    return row["momenta"][static_cast<std::size_t>(best)].get<double>();
  });
}

std::string momenta_text(const std::vector<double>& momenta) {
  std::string text;
  for (const double m : momenta) text += fmt::format("{}{:g}", text.empty() ? "" : ", ", m);
  return text;
}

Finding best_momentum_falls(const Rows& rows) {
  const auto& row = rows["async/momentum"];
  const auto few = best_momenta(row, "1"), many = best_momenta(row, "16");
  auto finding = below(interval_of(differences(many, few)), 0, 2, "Δ of the best momentum");
  finding.measured += fmt::format("; best momenta of the seeds: ({}) for W = 1, ({}) for W = 16",
                                  momenta_text(few), momenta_text(many));
  return finding;
}

Charts draw_momentum(const Rows& rows) {
  const auto& row = rows["async/momentum"];
  const std::vector<const char*> counts = {"1", "16"};
  return {chart(
      "Accuracy at the best of three rates, by the momentum of the server",
      {.label = "momentum", .text = plain}, {.label = "validation accuracy, %", .text = plain},
      numbers(row["momenta"]), {"W = 1", "W = 16"}, [&](std::size_t i, std::size_t k) {
        return interval_of(
                   by_seed(row, [&](const json& seed) { return seed[counts[i]][k].get<double>(); }))
            .mean;
      })};
}

}  // namespace

void add_asynchronous_server(Paper& paper, Scale scale) {
  paper.experiments.push_back(one_worker(scale));
  paper.experiments.push_back(stable_rates(scale));
  paper.experiments.push_back(server_momentum(scale));
  paper.claims.push_back(
      {.name = "one-worker",
       .claimed = "with one worker and all entries the asynchronous server is SGD",
       .experiments = {"async/one-worker"},
       .decide = one_worker_is_sgd});
  paper.claims.push_back({.name = "stable-rate",
                          .claimed = "staleness lowers the largest stable rate",
                          .experiments = {"async/stable-rates"},
                          .decide = stable_rate_falls});
  const auto many = asynchronous(scale, 64);
  add_claim_on(paper, "damping", "dividing the rate by the staleness is stable but slower",
               {{many, damped_pushes()}, {many, dense_pushes(64)}},
               [=](const Rows& rows) { return damping_is_stable_but_slower(rows, many); })
      .experiments.emplace_back("async/stable-rates");
  paper.claims.push_back({.name = "momentum",
                          .claimed = "momentum of the optimiser adds to that of asynchrony "
                                     "(\"Asynchrony begets momentum\")",
                          .experiments = {"async/momentum"},
                          .decide = best_momentum_falls,
                          .draw = draw_momentum});
}

}  // namespace terse::paper
