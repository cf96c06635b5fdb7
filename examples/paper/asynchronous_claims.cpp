#include "examples/paper/asynchronous_claims.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

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
  const bool equal = row.at("sgd") == row.at("dense") && row.at("sgd") == row.at("all_entries");
  return {
      .verdict = equal ? Verdict::holds : Verdict::fails,
      .measured = fmt::format("hashes of the models: SGD {}, one worker {}, with top 100 % {}",
                              row.at("sgd").get<std::string>(), row.at("dense").get<std::string>(),
                              row.at("all_entries").get<std::string>())};
}

// ---- rates and workers --------------------------------------------------------------------------

// "1, 1, 0.5": the rates of the seeds.
std::string stable_rates_text(const std::vector<double>& exponents) {
  std::string text;
  for (const double e : exponents) {
    text += fmt::format("{}{:g}", text.empty() ? "" : ", ", std::exp2(e));
  }
  return text;
}

// "1, 4, 16, 64": the numbers of workers of a row.
std::string workers_text(const json& row) {
  return fmt::format("{}", fmt::join(row.at("workers").get<std::vector<int>>(), ", "));
}

// The geometric mean of the seeds' largest stable rates, for the k-th number of workers.
double stable_rate_at(const json& row, const std::string& method, std::size_t k) {
  return std::exp2(mean_by_seed(row, method.c_str(), k));
}

Finding stable_rate_falls(const Rows& rows) {
  const auto& row = rows["async/stable-rates"];
  const std::size_t last = row.at("workers").size() - 1;
  const auto few = by_seed(row, "dense", 0), many = by_seed(row, "dense", last);
  auto finding = below(interval_of(differences(many, few)), 0, 1, "log₂ of the ratio:");
  finding.measured +=
      fmt::format("; largest stable rates of the seeds: ({}) for W = 1, ({}) for W = 64",
                  stable_rates_text(few), stable_rates_text(many));
  for (const auto& method : rate_methods()) {
    finding.measured +=
        fmt::format("; geometric means of {} for W = {}:", method.name, workers_text(row));
    for (std::size_t k = 0; k <= last; ++k) {
      finding.measured +=
          fmt::format("{} {:.2g}", k == 0 ? "" : ",", stable_rate_at(row, method.name, k));
    }
  }
  return finding;
}

std::vector<std::string> names_of(const std::vector<Method>& methods) {
  std::vector<std::string> names;
  for (const auto& method : methods) names.push_back(method.name);
  return names;
}

Charts draw_stable_rates(const Rows& rows) {
  const auto& row = rows["async/stable-rates"];
  const auto names = names_of(rate_methods());
  return {chart("The largest stable rate, by workers",
                {.label = "workers", .logarithmic = true, .text = plain},
                {.label = "geometric mean of the seeds", .logarithmic = true, .text = plain},
                numbers(row.at("workers")), names,
                [&](std::size_t i, std::size_t k) { return stable_rate_at(row, names[i], k); })};
}

Finding damping_is_stable_but_slower(const Rows& rows, const Setting& many) {
  const auto& row = rows["async/stable-rates"];
  const auto few = by_seed(row, "dense", 0);
  const auto damped = by_seed(row, damped_pushes().name.c_str(), row.at("workers").size() - 1);
  const auto steps = differences(damped, few);
  return all_of(
      {{.verdict = std::ranges::min(steps) >= 0 ? Verdict::holds : Verdict::fails,
        .measured = fmt::format(
            "largest stable rates of the seeds: ({}) for W = 1, ({}) for W = 64 and "
            "damped; log₂ of the ratio: {}",
            stable_rates_text(few), stable_rates_text(damped), text_of(interval_of(steps), 2))},
       is_below(rows, many, damped_pushes(), dense_pushes(64), 0)});
}

std::vector<double> scores_at_fixed_rate(const json& row, const std::string& method,
                                         std::size_t k) {
  return by_seed(row,
                 [&](const json& seed) { return seed.at(method).at(k).at("score").get<double>(); });
}

// Up to the last number of workers but one every step costs accuracy; with the last one no run is
// stable.
Finding fixed_rate_degrades(const Rows& rows) {
  const auto& row = rows["async/fixed-rate"];
  const auto workers = row.at("workers").get<std::vector<int>>();
  const std::size_t last = workers.size() - 1;
  std::vector<Finding> findings;
  for (std::size_t k = 1; k < last; ++k) {
    findings.push_back(below(interval_of(differences(scores_at_fixed_rate(row, "dense", k),
                                                     scores_at_fixed_rate(row, "dense", k - 1))),
                             0, 2,
                             fmt::format("Δ dense, W = {} − {}:", workers[k], workers[k - 1])));
  }
  std::size_t stable = 0;
  for (const auto& seed : row.at("seeds"))
    stable += seed.at("dense").at(last).at("stable").get<bool>();
  const std::size_t seeds = row.at("seeds").size();
  findings.push_back({.verdict = stable == 0       ? Verdict::holds
                                 : stable == seeds ? Verdict::fails
                                                   : Verdict::open,
                      .measured = fmt::format("{} of {} runs with W = {} are stable", stable, seeds,
                                              workers[last])});
  auto finding = all_of(findings);
  finding.measured += fmt::format("; test accuracies in % at the rate {:g} for W = {}",
                                  row.at("rate").get<double>(), workers_text(row));
  for (const auto& method : rate_methods()) {
    for (std::size_t k = 0; k <= last; ++k) {
      finding.measured += fmt::format("{} {:.2f}", k == 0 ? "; " + method.name : ",",
                                      interval_of(scores_at_fixed_rate(row, method.name, k)).mean);
    }
  }
  return finding;
}

Charts draw_fixed_rate(const Rows& rows) {
  const auto& row = rows["async/fixed-rate"];
  const auto names = names_of(rate_methods());
  return {chart(fmt::format("Test accuracy at the rate {:g}, the best of one worker",
                            row.at("rate").get<double>()),
                {.label = "workers", .logarithmic = true, .text = plain},
                {.label = "test accuracy, %", .text = plain}, numbers(row.at("workers")), names,
                [&](std::size_t i, std::size_t k) {
                  return interval_of(scores_at_fixed_rate(row, names[i], k)).mean;
                })};
}

// ---- momentum -----------------------------------------------------------------------------------

std::vector<double> best_momenta(const json& row, const char* workers) {
  return by_seed(row, [&](const json& seed) {
    const auto of_momenta = numbers(seed.at(workers));
    const auto best = std::ranges::max_element(of_momenta) - of_momenta.begin();
    return row.at("momenta").at(static_cast<std::size_t>(best)).get<double>();
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
      numbers(row.at("momenta")), {"W = 1", "W = 16"},
      [&](std::size_t i, std::size_t k) { return interval_of(by_seed(row, counts[i], k)).mean; })};
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
                          .decide = stable_rate_falls,
                          .draw = draw_stable_rates});
  const auto alone = asynchronous(scale, 1);
  add_once(paper, tuned(alone, dense_pushes(1)));
  paper.experiments.push_back(fixed_rate(scale));
  paper.claims.push_back({.name = "fixed-rate",
                          .claimed = "at a fixed rate more workers cost accuracy, and many make "
                                     "training diverge",
                          .experiments = {"async/fixed-rate"},
                          .decide = fixed_rate_degrades,
                          .draw = draw_fixed_rate});
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
