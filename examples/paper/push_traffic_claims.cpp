#include "examples/paper/push_traffic_claims.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <optional>
#include <vector>

#include "examples/paper/asynchronous_experiments.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/statistics.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

Finding traffic_is_fifty_times_less(const Rows& rows, const Setting& setting) {
  const auto bytes = [&](const Method& method) {
    const auto& run = rows[row_of(setting, method)]["seeds"][0];
    return run["bytes_sent_per_worker"].get<double>() / run["steps"].get<double>();
  };
  const auto workers = static_cast<double>(setting.config.workers);
  const double dense = workers * bytes(dense_pushes(16)), sparse = workers * bytes(top_1(16));
  const double ratio = dense / sparse;
  return {
      .verdict = ratio >= 45 && ratio <= 55 ? Verdict::holds : Verdict::fails,
      .measured = fmt::format("bytes of a push, header included, dense / top-1: {:.0f} / {:.0f} = "
                              "{:.1f}",
                              dense, sparse, ratio)};
}

constexpr double kTargetAccuracy = 80;  // percent

// Modelled seconds until the test accuracy is kTargetAccuracy, by a straight line between
// evaluations.
std::optional<double> seconds_to_target(const json& run, double guess) {
  if (run.contains("failure")) return std::nullopt;
  double before = guess, began = 0;
  for (const auto& point : run["curve"]) {
    const double score = point["score"], seconds = point["virtual_seconds"];
    if (score >= kTargetAccuracy) {
      return began + (seconds - began) * (kTargetAccuracy - before) / (score - before);
    }
    before = score;
    began = seconds;
  }
  return std::nullopt;
}

// The time with dense pushes over that with sparse ones. Where dense pushes do not get there, their
// whole time is a lower bound.
Finding sparse_is_sooner(const json& dense, const json& sparse, double guess,
                         const char* quantity) {
  std::vector<double> ratios, of_dense, of_sparse;
  for (std::size_t i = 0; i < dense["seeds"].size(); ++i) {
    const auto& run = dense["seeds"][i];
    auto slow = seconds_to_target(run, guess);
    const auto fast = seconds_to_target(sparse["seeds"][i], guess);
    if (!fast || run.contains("failure")) {
      return {.verdict = slow ? Verdict::fails : Verdict::open,
              .measured = fmt::format("{} seed {} does not reach {:g} % with {} pushes", quantity,
                                      i + 1, kTargetAccuracy, fast ? "dense" : "sparse")};
    }
    if (!slow) slow = run["curve"].back()["virtual_seconds"].get<double>();
    ratios.push_back(*slow / *fast);
    of_dense.push_back(*slow);
    of_sparse.push_back(*fast);
  }
  auto finding = above(interval_of(ratios), 1, 2, quantity);
  finding.measured += fmt::format(" ({:.1f} s and {:.1f} s)", interval_of(of_dense).mean,
                                  interval_of(of_sparse).mean);
  return finding;
}

// Only sparse pulls decide.
Finding time_to_accuracy(const Rows& rows, Scale scale) {
  const auto sparse_pulls = slow_network(scale, Pulls::sparse);
  const auto whole_pulls = slow_network(scale, Pulls::whole);
  const auto& dense = rows[row_of(sparse_pulls, slow_dense_pushes())];
  auto finding = sparse_is_sooner(dense, rows[row_of(sparse_pulls, slow_top_1())],
                                  sparse_pulls.guess, "dense / top-1:");
  finding.measured += "; " + sparse_is_sooner(dense, rows[row_of(whole_pulls, slow_top_1())],
                                              whole_pulls.guess, "if pulls are whole models:")
                                 .measured;
  return finding;
}

}  // namespace

void add_push_traffic(Paper& paper, Scale scale) {
  const auto sixteen = asynchronous(scale, 16);
  add_claim_on(paper, "traffic",
               "sparse pushes of k of d entries take d/(2k) times less traffic: 50 times at 1 %, "
               "as an entry takes 64 bits",
               {{sixteen, dense_pushes(16)}, {sixteen, top_1(16)}},
               [=](const Rows& rows) { return traffic_is_fifty_times_less(rows, sixteen); });

  const auto slow = slow_network(scale, Pulls::sparse);
  add_claim_on(
      paper, "time-to-accuracy", "less traffic shortens training where the network is slow",
      {{slow, slow_dense_pushes()},
       {slow, slow_top_1()},
       {slow_network(scale, Pulls::whole), slow_top_1()}},
      [=](const Rows& rows) { return time_to_accuracy(rows, scale); },
      [=](const Rows& rows) {
        return Charts{time_chart(rows, slow, {slow_dense_pushes(), slow_top_1()})};
      });
}

}  // namespace terse::paper
