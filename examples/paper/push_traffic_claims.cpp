#include "examples/paper/push_traffic_claims.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "examples/paper/asynchronous_experiments.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/statistics.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

Finding traffic_is_fifty_times_less(const Rows& rows, const Setting& setting) {
  for (const auto& method : {dense_pushes(16), top_1(16)}) {
    if (rows[row_of(setting, method)].at("seeds").at(0).contains("failure")) {
      return {.verdict = Verdict::open,
              .measured = fmt::format("seed 1 diverged with {} pushes, so its bytes are not known",
                                      method.name)};
    }
  }
  const auto bytes = [&](const Method& method) {
    const auto& run = rows[row_of(setting, method)].at("seeds").at(0);
    return run.at("bytes_sent_per_worker").get<double>() / run.at("steps").get<double>();
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
// evaluations; or all of the run's seconds, if it does not get there. Infinite if it diverged.
struct TimeToTarget {
  double seconds = 0;
  bool arrives = false;
};
TimeToTarget time_to_target(const json& run, double guess) {
  if (run.contains("failure")) return {.seconds = std::numeric_limits<double>::infinity()};
  double before = guess, began = 0;
  for (const auto& point : run.at("curve")) {
    const double score = point.at("score"), seconds = point.at("virtual_seconds");
    if (score >= kTargetAccuracy) {
      const double share = (kTargetAccuracy - before) / (score - before);
      return {.seconds = began + (seconds - began) * share, .arrives = true};
    }
    before = score;
    began = seconds;
  }
  return {.seconds = began};
}

// The time with dense pushes over that with sparse ones. Where dense pushes do not get there, the
// ratio of a seed is a lower bound, so it cannot show that the claim fails; where sparse pushes do
// not, it is an upper bound, which cannot show that it holds.
Finding sparse_is_sooner(const json& dense, const json& sparse, double guess,
                         const char* quantity) {
  std::vector<double> ratios, of_dense, of_sparse;
  std::size_t dense_arrive = 0, sparse_arrive = 0;
  for (std::size_t i = 0; i < dense.at("seeds").size(); ++i) {
    const auto slow = time_to_target(dense.at("seeds").at(i), guess);
    const auto fast = time_to_target(sparse.at("seeds").at(i), guess);
    const double ratio = slow.seconds / fast.seconds;
    if (!(slow.arrives || fast.arrives) || !std::isfinite(ratio)) {
      return {.verdict = Verdict::open,
              .measured =
                  fmt::format("{} seed {} has no ratio: it does not reach {:g} % with {} pushes",
                              quantity, i + 1, kTargetAccuracy, fast.arrives ? "dense" : "sparse")};
    }
    ratios.push_back(ratio);
    of_dense.push_back(slow.seconds);
    of_sparse.push_back(fast.seconds);
    dense_arrive += slow.arrives;
    sparse_arrive += fast.arrives;
  }
  auto finding = above(interval_of(ratios), 1, 2, quantity);
  finding.measured += fmt::format(" ({:.1f} s and {:.1f} s)", interval_of(of_dense).mean,
                                  interval_of(of_sparse).mean);
  const auto bound = [&](std::size_t arrive, const char* pushes, Verdict not_shown) {
    if (arrive == ratios.size()) return;
    if (finding.verdict == not_shown) finding.verdict = Verdict::open;
    finding.measured += fmt::format("; {} of {} seeds reach {:g} % with {} pushes", arrive,
                                    ratios.size(), kTargetAccuracy, pushes);
  };
  bound(dense_arrive, "dense", Verdict::fails);
  bound(sparse_arrive, "sparse", Verdict::holds);
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
