// Candela et al., "Sparsification as a Remedy for Staleness in Distributed Asynchronous SGD", arXiv
// 1910.09466.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examples/paper/asynchronous_claims.hpp"
#include "examples/paper/claim.hpp"
#include "examples/paper/push_traffic_claims.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/sparse_push_claims.hpp"
#include "examples/paper/staleness_experiments.hpp"
#include "examples/paper/statistics.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

Finding mean_staleness(const Rows& rows) {
  double most = 0;
  for (const auto& c : rows["async/staleness"].at("cases")) {
    const double stated = c.at("workers").get<double>() - 1;
    most = std::max(most, std::abs(c.at("mean").get<double>() / stated - 1));
  }
  return {.verdict = most < 0.01 ? Verdict::holds : Verdict::fails,
          .measured = fmt::format("largest deviation from W − 1: {:.2f} %", 100 * most)};
}

double geometric(double workers, std::size_t staleness) {
  return std::pow(1 - 1 / workers, static_cast<double>(staleness)) / workers;
}

Finding staleness_is_geometric(const Rows& rows) {
  std::vector<Deviation> deviations;
  for (const auto& c : rows["async/staleness"].at("cases")) {
    if (!c.contains("histogram")) continue;
    const double pushes = c.at("pushes"), workers = c.at("workers");
    const auto histogram = numbers(c.at("histogram"));
    for (std::size_t j = 0; j < histogram.size(); ++j) {
      const double stated = geometric(workers, j);
      if (stated * pushes < 25) break;  // a normal error needs some pushes
      deviations.push_back({.difference = histogram[j] / pushes - stated,
                            .error = std::sqrt(stated * (1 - stated) / pushes)});
    }
  }
  return agrees_in_all_cases(deviations, "share − stated");
}

Charts draw_staleness(const Rows& rows) {
  run::LineChart result{.title = "Staleness of exponential workers (seed 1), and the geometric law",
                        .x = {.label = "staleness", .text = plain},
                        .y = {.label = "share of pushes", .logarithmic = true, .text = plain},
                        .curves = {}};
  for (const auto& c : rows["async/staleness"].at("cases")) {
    if (!c.contains("histogram") || c.at("seed") != 1) continue;
    const double pushes = c.at("pushes"), workers = c.at("workers");
    const auto histogram = numbers(c.at("histogram"));
    run::Curve seen{.name = fmt::format("W = {:g}", workers), .points = {}};
    run::Curve stated{.name = fmt::format("stated, W = {:g}", workers), .points = {}};
    const auto stride = std::max<std::size_t>(1, static_cast<std::size_t>(workers) / 4);
    for (std::size_t j = 0; j < histogram.size() && geometric(workers, j) * pushes > 25;
         j += stride) {
      if (histogram[j] > 0) seen.points.emplace_back(j, histogram[j] / pushes);
      stated.points.emplace_back(j, geometric(workers, j));
    }
    result.curves.push_back(std::move(seen));
    result.curves.push_back(std::move(stated));
  }
  return {result};
}

Finding rate_is_root(const Rows& rows) {
  const auto& row = rows["async/rate"];
  return all_of(
      {below(slope_by_seed(row, "updates", "dense"), kRootBound, 3, "slope, dense"),
       below(slope_by_seed(row, "updates", "sparse"), kRootBound, 3, "top-k with memory")});
}

Charts draw_rate_of_gradients(const Rows& rows) {
  const auto& row = rows["async/rate"];
  return {chart("Eight asynchronous workers at a rate of c/√T",
                {.label = "updates T", .logarithmic = true, .text = plain},
                {.label = "mean of ‖∇f‖²", .logarithmic = true, .text = plain},
                numbers(row.at("updates")), {"dense", "top 10 %, memory"},
                [&](std::size_t i, std::size_t k) {
                  return mean_by_seed(row, i == 0 ? "dense" : "sparse", k);
                })};
}

Finding momentum_is_implicit(const Rows& rows) {
  const auto& row = rows["async/implicit-momentum"];
  double most_momentum = 0, most_rate = 0;
  std::string text;
  for (std::size_t i = 0; i < row.at("workers").size(); ++i) {
    const double workers = row.at("workers").at(i);
    const double stated = 1 - 1 / workers, stated_rate = row.at("rate").get<double>() / workers;
    for (const auto& seed : row.at("seeds")) {
      most_momentum =
          std::max(most_momentum, std::abs(seed.at("momentum").at(i).get<double>() - stated));
      most_rate =
          std::max(most_rate, std::abs(seed.at("rate").at(i).get<double>() / stated_rate - 1));
    }
    text += fmt::format("{}W = {:g}: μ = {:.4f} (stated {:.4f})", i == 0 ? "" : ", ", workers,
                        mean_by_seed(row, "momentum", i), stated);
  }
  return {.verdict = most_momentum < 0.005 && most_rate < 0.02 ? Verdict::holds : Verdict::fails,
          .measured = fmt::format("{}; largest deviation of μ {:.4f}, of the rate {:.1f} %", text,
                                  most_momentum, 100 * most_rate)};
}

}  // namespace

Paper staleness(Scale scale) {
  Paper paper = {
      .number = "1910.09466",
      .title = "Sparsification as a Remedy for Staleness in Distributed Asynchronous SGD",
      .symbols =
          "W is the number of workers, T the number of pushes, μ a momentum. `dense` pushes whole "
          "gradients; `top-10`, `top-1` and `top-0.1` push the largest 10, 1 and 0.1 % of the "
          "entries, `random-1` a random 1 %. With memory, which all have but `top-1-no-memory`, "
          "what is not pushed is added to the next gradient. `staleness-aware` (damped) divides "
          "the rate by the staleness. The paper's first version (v1) says that sparse pushes "
          "improve on dense ones, a later one that they do no harm. A pull fetches the model: a "
          "sparse one only the entries that have changed. Harm is below zero where sparse pushes "
          "are better; it grows in a step if the whole interval of its Δ is above zero.",
      .notes =
          "Functions: rate-root-T has Σ x²/(1 + x²) over 20 coordinates, with noise of deviation "
          "2 in each, and eight workers. implicit-momentum has x²/2 from x = 1 at a rate of 0.05.",
      .claims = {{.name = "mean-staleness",
                  .claimed = "staleness grows with the workers: mean W − 1",
                  .experiments = {"async/staleness"},
                  .decide = mean_staleness},
                 {.name = "staleness-law",
                  .claimed = "with exponential durations staleness is geometric",
                  .experiments = {"async/staleness"},
                  .decide = staleness_is_geometric,
                  .draw = draw_staleness},
                 {.name = "rate-root-T",
                  .claimed = "Theorem: the ergodic mean of ‖∇f‖² falls with 1/√T",
                  .experiments = {"async/rate"},
                  .decide = rate_is_root,
                  .draw = draw_rate_of_gradients},
                 {.name = "implicit-momentum",
                  .claimed = "W asynchronous workers act as momentum 1 − 1/W",
                  .experiments = {"async/implicit-momentum"},
                  .decide = momentum_is_implicit}},
      .experiments = {staleness_of_pushes(scale), asynchronous_rate(scale),
                      implicit_momentum(scale)}};
  add_asynchronous_server(paper, scale);
  add_sparse_pushes(paper, scale);
  add_push_traffic(paper, scale);
  return paper;
}

}  // namespace terse::paper
