#include "examples/paper/asynchronous_claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/asynchronous_experiments.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

// ---- one method against another, at several numbers of workers ----------------------------------

const std::vector<int> kManyWorkers = {4, 16, 64};

using MethodOf = Method (*)(int workers);
using AsyncRuns = std::vector<std::pair<Setting, Method>>;

AsyncRuns runs_at_all(Scale scale, const std::vector<int>& counts,
                      const std::vector<MethodOf>& methods) {
  AsyncRuns all;
  for (const int workers : counts) {
    for (const auto method : methods) {
      all.emplace_back(asynchronous(scale, workers), method(workers));
    }
  }
  return all;
}

// Holds if decide(W) holds for all.
template <class Decide>
Finding for_each_count(const std::vector<int>& counts, Decide decide) {
  std::vector<Finding> all;
  for (const int workers : counts) {
    all.push_back(decide(workers));
    all.back().measured = fmt::format("W = {}: {}", workers, all.back().measured);
  }
  return all_of(all);
}

double mean_score_at(const Rows& rows, Scale scale, int workers, const Method& method) {
  return interval_of(scores(rows, row_of(asynchronous(scale, workers), method))).mean;
}

// "; dense 85.10, 83.90, 81.70": for the numbers of workers.
std::string scores_by_workers(const Rows& rows, Scale scale, MethodOf method) {
  std::string text;
  for (const int workers : kManyWorkers) {
    text += fmt::format("{} {:.2f}", text.empty() ? "; " + method(workers).name : ",",
                        mean_score_at(rows, scale, workers, method(workers)));
  }
  return text;
}

Finding does_no_harm(const Rows& rows, Scale scale, MethodOf method) {
  auto finding = for_each_count(kManyWorkers, [&](int workers) {
    return no_loss(rows, asynchronous(scale, workers), method(workers), dense_pushes(workers));
  });
  finding.measured +=
      scores_by_workers(rows, scale, dense_pushes) + scores_by_workers(rows, scale, method);
  return finding;
}

// `a` is better than `b`.
Finding sparse_improves_on(const Rows& rows, const Setting& setting, const Method& a,
                           const Method& b) {
  return above(gain(rows, setting, a, b), 0, 2, fmt::format("Δ {} − {}:", a.name, b.name));
}

// The rule asks for more than the claim, so the weaker one is shown beside it.
Finding sparse_beats_damped(const Rows& rows, Scale scale) {
  const std::vector<int> counts = {16, 64};
  const auto damped = damped_pushes();
  auto finding = for_each_count(counts, [&](int workers) {
    return sparse_improves_on(rows, asynchronous(scale, workers), top_10(workers), damped);
  });
  const auto weaker = for_each_count(counts, [&](int workers) {
    return no_loss(rows, asynchronous(scale, workers), top_10(workers), damped);
  });
  finding.measured +=
      fmt::format("; by the weaker rule of \"no loss\": {}", to_string(weaker.verdict));
  return finding;
}

Charts draw_workers(const Rows& rows, Scale scale) {
  const std::vector<int> counts = {1, 4, 16, 64};
  const std::vector<MethodOf> methods = {dense_pushes, top_10, top_1};
  return {chart("Accuracy at the best rate, with memory",
                {.label = "workers", .logarithmic = true, .text = plain},
                {.label = "test accuracy, %", .text = plain}, {counts.begin(), counts.end()},
                {"dense", "top 10 %", "top 1 %"}, [&](std::size_t i, std::size_t k) {
                  return mean_score_at(rows, scale, counts[k], methods[i](counts[k]));
                })};
}

// ---- ratio and workers --------------------------------------------------------------------------

const std::vector<MethodOf> kSparsePushes = {top_10, top_1, top_01};

// What the seeds lose against dense pushes, in points of accuracy.
std::vector<double> harm(const Rows& rows, Scale scale, MethodOf method, int workers) {
  const auto setting = asynchronous(scale, workers);
  return differences(scores(rows, row_of(setting, dense_pushes(workers))),
                     scores(rows, row_of(setting, method(workers))));
}

// The steps along one axis: in how many the harm grows, and the step in which it grows least.
Finding harm_grows(const std::vector<Interval>& steps, const char* axis) {
  std::vector<Finding> all;
  std::size_t growing = 0, least = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    all.push_back(above(steps[i], 0, 2, "Δ"));
    growing += all.back().verdict == Verdict::holds;
    if (steps[i].mean < steps[least].mean) least = i;
  }
  return {.verdict = all_of(all).verdict,
          .measured = fmt::format("the harm grows in {} of {} steps {}, least by {}", growing,
                                  steps.size(), axis, all[least].measured)};
}

Finding harm_grows_along_both_axes(const Rows& rows, Scale scale) {
  const auto step = [&](std::size_t ratio, std::size_t count, std::size_t ratio_before,
                        std::size_t count_before) {
    return interval_of(
        differences(harm(rows, scale, kSparsePushes[ratio], kManyWorkers[count]),
                    harm(rows, scale, kSparsePushes[ratio_before], kManyWorkers[count_before])));
  };
  std::vector<Interval> by_ratio, by_workers;
  for (std::size_t r = 0; r < kSparsePushes.size(); ++r) {
    for (std::size_t w = 0; w < kManyWorkers.size(); ++w) {
      if (r > 0) by_ratio.push_back(step(r, w, r - 1, w));
      if (w > 0) by_workers.push_back(step(r, w, r, w - 1));
    }
  }
  auto finding = all_of(
      {harm_grows(by_ratio, "to a smaller ratio"), harm_grows(by_workers, "to more workers")});
  finding.measured += "; points lost with W = 4, 16, 64";
  for (const auto method : kSparsePushes) {
    finding.measured += method == kSparsePushes.front() ? ": " : ", ";
    finding.measured += method(kManyWorkers.front()).name;
    for (const int workers : kManyWorkers) {
      finding.measured +=
          " " + number_text(interval_of(harm(rows, scale, method, workers)).mean, 2);
    }
  }
  return finding;
}

Charts draw_harm(const Rows& rows, Scale scale) {
  return {chart("What sparse pushes lose against dense ones",
                {.label = "workers", .logarithmic = true, .text = plain},
                {.label = "points of test accuracy", .text = plain},
                {kManyWorkers.begin(), kManyWorkers.end()}, {"top 10 %", "top 1 %", "top 0.1 %"},
                [&](std::size_t i, std::size_t k) {
                  const int workers = kManyWorkers[k];
                  return interval_of(harm(rows, scale, kSparsePushes[i], workers)).mean;
                })};
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
      fmt::format("; W = 1: {}; W = 64: {}", stable_rates_text(few), stable_rates_text(many));
  return finding;
}

Finding damping_is_stable_but_slower(const Rows& rows, const Setting& many) {
  const auto& row = rows["async/stable-rates"];
  const auto few = by_seed(row, "dense_1"), damped = by_seed(row, "damped_64");
  return all_of({{.verdict = few == damped ? Verdict::holds : Verdict::fails,
                  .measured = fmt::format(
                      "largest stable rates of the seeds: {} with W = 1, {} with W = 64 and damped "
                      "(log₂ of their ratio {})",
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
  finding.measured += fmt::format("; W = 1: {}; W = 16: {}", momenta_text(few), momenta_text(many));
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

// ---- one worker, traffic, time ------------------------------------------------------------------

Finding one_worker_is_sgd(const Rows& rows) {
  const auto& row = rows["async/one-worker"];
  const bool equal = row["sgd"] == row["dense"] && row["sgd"] == row["all_entries"];
  return {.verdict = equal ? Verdict::holds : Verdict::fails,
          .measured = fmt::format("hashes of the models: SGD {}, one worker {}, with top 100 % {}",
                                  row["sgd"].get<std::string>(), row["dense"].get<std::string>(),
                                  row["all_entries"].get<std::string>())};
}

Finding traffic_is_fifty_times_less(const Rows& rows, const Setting& setting) {
  const auto bytes = [&](const Method& method) {
    const auto& run = rows[row_of(setting, method)]["seeds"][0];
    return run["bytes_sent_per_worker"].get<double>() / run["steps"].get<double>();
  };
  const auto workers = static_cast<double>(setting.config.workers);
  const double dense = workers * bytes(dense_pushes(16)), sparse = workers * bytes(top_1(16));
  const double ratio = dense / sparse;
  return {.verdict = ratio >= 45 && ratio <= 55 ? Verdict::holds : Verdict::fails,
          .measured = fmt::format("{:.1f}: {:.0f} bytes a push, header included, against {:.0f}",
                                  ratio, dense, sparse)};
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

// -------------------------------------------------------------------------------------------------

// Appends a claim about these runs.
Claim& add_async_claim(Paper& paper, const char* name, const char* claimed, const AsyncRuns& runs,
                       std::function<Finding(const Rows&)> decide,
                       std::function<Charts(const Rows&)> draw = {}) {
  Claim claim{.name = name,
              .claimed = claimed,
              .experiments = {},
              .decide = std::move(decide),
              .draw = std::move(draw)};
  for (const auto& [setting, method] : runs) add_trained(paper, claim, setting, method);
  return paper.claims.emplace_back(std::move(claim));
}

}  // namespace

void add_asynchronous_claims(Paper& paper, Scale scale) {
  const auto sixteen = asynchronous(scale, 16), sixty_four = asynchronous(scale, 64);
  for (const auto& experiment : {one_worker(scale), stable_rates(scale), server_momentum(scale)}) {
    paper.experiments.push_back(experiment);
  }

  add_async_claim(paper, "one-worker",
                  "with one worker and all entries the asynchronous server is SGD", {},
                  one_worker_is_sgd)
      .experiments = {"async/one-worker"};
  add_async_claim(
      paper, "harmless-ten", "later version: sparse pushes of 10 % do no harm",
      runs_at_all(scale, {1, 4, 16, 64}, {dense_pushes, top_10, top_1}),
      [=](const Rows& rows) { return does_no_harm(rows, scale, top_10); },
      [=](const Rows& rows) { return draw_workers(rows, scale); });
  add_async_claim(paper, "harmless-one", "later version: sparse pushes of 1 % do no harm",
                  runs_at_all(scale, kManyWorkers, {dense_pushes, top_1}),
                  [=](const Rows& rows) { return does_no_harm(rows, scale, top_1); });
  add_async_claim(paper, "improves", "first version: sparse pushes improve on dense ones",
                  runs_at_all(scale, kManyWorkers, {dense_pushes, top_10}), [=](const Rows& rows) {
                    return for_each_count(kManyWorkers, [&](int workers) {
                      return sparse_improves_on(rows, asynchronous(scale, workers), top_10(workers),
                                                dense_pushes(workers));
                    });
                  });
  add_async_claim(paper, "memory", "without memory sparse pushes are worse",
                  {{sixteen, top_1_forgetful()}, {sixteen, top_1(16)}}, [=](const Rows& rows) {
                    return is_below(rows, sixteen, top_1_forgetful(), top_1(16), 0);
                  });
  add_async_claim(paper, "random", "random coordinates are worse than the largest",
                  {{sixteen, random_1()}, {sixteen, top_1(16)}}, [=](const Rows& rows) {
                    return is_below(rows, sixteen, random_1(), top_1(16), 0);
                  });
  add_async_claim(paper, "stable-rate", "staleness lowers the largest stable rate", {},
                  stable_rate_falls)
      .experiments = {"async/stable-rates"};
  add_async_claim(paper, "damping", "dividing the rate by the staleness is stable but slower",
                  {{sixty_four, damped_pushes()}, {sixty_four, dense_pushes(64)}},
                  [=](const Rows& rows) { return damping_is_stable_but_slower(rows, sixty_four); })
      .experiments.emplace_back("async/stable-rates");
  add_async_claim(paper, "remedies", "sparsification is no worse than damped rates",
                  {{sixteen, top_10(16)},
                   {sixteen, damped_pushes()},
                   {sixty_four, top_10(64)},
                   {sixty_four, damped_pushes()}},
                  [=](const Rows& rows) { return sparse_beats_damped(rows, scale); });

  const auto resnet = asynchronous_resnet20(scale);
  const std::vector<Method> of_resnet = {resnet_pushes(dense_pushes(16)), resnet_pushes(top_10(16)),
                                         resnet_pushes(top_1(16))};
  add_async_claim(paper, "deep", "sparse pushes do no harm on a residual network",
                  {{resnet, of_resnet[0]}, {resnet, of_resnet[1]}, {resnet, of_resnet[2]}},
                  [=](const Rows& rows) {
                    auto finding = all_of({no_loss(rows, resnet, of_resnet[1], of_resnet[0]),
                                           no_loss(rows, resnet, of_resnet[2], of_resnet[0])});
                    finding.measured += "; " + scores_text(rows, resnet, of_resnet);
                    return finding;
                  });

  add_async_claim(
      paper, "ratio-workers", "the harm of sparse pushes grows with both, sparsity and workers",
      runs_at_all(scale, kManyWorkers, {dense_pushes, top_10, top_1, top_01}),
      [=](const Rows& rows) { return harm_grows_along_both_axes(rows, scale); },
      [=](const Rows& rows) { return draw_harm(rows, scale); });
  add_async_claim(
      paper, "momentum",
      "momentum of the optimiser adds to that of asynchrony (\"Asynchrony begets momentum\")", {},
      best_momentum_falls, draw_momentum)
      .experiments = {"async/momentum"};
  add_async_claim(paper, "traffic", "sparse pushes take up to 100 times less traffic",
                  {{sixteen, dense_pushes(16)}, {sixteen, top_1(16)}},
                  [=](const Rows& rows) { return traffic_is_fifty_times_less(rows, sixteen); });

  const auto slow = slow_network(scale, Pulls::sparse);
  add_async_claim(
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
