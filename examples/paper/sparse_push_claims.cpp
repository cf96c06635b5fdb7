#include "examples/paper/sparse_push_claims.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "examples/paper/asynchronous_experiments.hpp"
#include "examples/paper/cell_map.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"

namespace terse::paper {
namespace {

// ---- one method against another, at several numbers of workers ----------------------------------

const std::vector<int> kManyWorkers = {4, 16, 64};

using MethodOf = Method (*)(int workers);

Runs runs_at_all(Scale scale, const std::vector<int>& counts,
                 const std::vector<MethodOf>& methods) {
  Runs all;
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
  return interval_of(scores(rows, asynchronous(scale, workers), method)).mean;
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

const std::vector<MethodOf> kHarmlessPushes = {dense_pushes, top_10, top_1};
const std::vector<std::string> kHarmlessNames = {"dense", "top 10 %", "top 1 %"};

// seed["curve"][k][key] over the pushes, means of the seeds.
run::LineChart updates_chart(const Rows& rows, Scale scale, const char* key, const char* label) {
  const auto setting = followed(scale);
  const auto mean_at = [&](std::size_t method, std::size_t k, const char* what) {
    const auto& row = rows[row_of(setting, kHarmlessPushes[method](16))];
    return interval_of(by_seed(row,
                               [&](const nlohmann::json& seed) {
                                 return seed.at("curve").at(k).at(what).get<double>();
                               }))
        .mean;
  };
  const auto& seed = rows[row_of(setting, dense_pushes(16))].at("seeds").at(0);
  const double pushes =
      seed.at("steps").get<double>() / seed.at("curve").back().at("epoch").get<double>();
  std::vector<double> x;
  for (const auto& evaluation : seed.at("curve")) {
    x.push_back(pushes * evaluation.at("epoch").get<double>());
  }
  return chart("Sixteen workers at the best rates", {.label = "pushes", .text = plain},
               {.label = label, .text = plain}, x, kHarmlessNames,
               [&](std::size_t i, std::size_t k) { return mean_at(i, k, key); });
}

Charts draw_workers(const Rows& rows, Scale scale) {
  const std::vector<int> counts = {1, 4, 16, 64};
  return {chart("Accuracy at the best rate, with memory",
                {.label = "workers", .logarithmic = true, .text = plain},
                {.label = "test accuracy, %", .text = plain}, {counts.begin(), counts.end()},
                kHarmlessNames,
                [&](std::size_t i, std::size_t k) {
                  return mean_score_at(rows, scale, counts[k], kHarmlessPushes[i](counts[k]));
                }),
          updates_chart(rows, scale, "train_loss", "training loss since the last mark"),
          updates_chart(rows, scale, "score", "test accuracy, %")};
}

// ---- ratio and workers --------------------------------------------------------------------------

const std::vector<MethodOf> kSparsePushes = {top_10, top_1, top_01};

// What the seeds lose against dense pushes, in points of accuracy.
std::vector<double> harm(const Rows& rows, Scale scale, MethodOf method, int workers) {
  const auto setting = asynchronous(scale, workers);
  return differences(scores(rows, setting, dense_pushes(workers)),
                     scores(rows, setting, method(workers)));
}

// The steps along one axis: in how many the harm grows, and the step in which it grows least.
Finding harm_grows(const std::vector<Interval>& steps, const char* axis) {
  std::vector<Finding> all;
  std::size_t growing = 0, least = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    all.push_back(above(steps[i], 0, 2, "Δ of the harm:"));
    growing += all.back().verdict == Verdict::holds;
    if (steps[i].mean < steps[least].mean) least = i;
  }
  return {.verdict = all_of(all).verdict,
          .measured = fmt::format("the harm grows in {} of {} steps {}; the smallest {}", growing,
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
  for (const auto method : kSparsePushes) {
    std::string lost;
    for (const int workers : kManyWorkers) {
      lost += (lost.empty() ? "" : ", ") +
              number_text(interval_of(harm(rows, scale, method, workers)).mean, 2);
    }
    finding.measured += fmt::format("; points that {} loses with W = 4, 16, 64: {}",
                                    method(kManyWorkers.front()).name, lost);
  }
  return finding;
}

std::string draw_harm(const Rows& rows, Scale scale) {
  constexpr double kMuch = 10;  // points, the darkest colour
  CellMap map{.title = "Points of test accuracy that sparse pushes lose",
              .x_label = "workers (below a mean: its interval of 95 %)",
              .y_label = "pushed",
              .x = {},
              .y = {"10 %", "1 %", "0.1 %"},
              .cells = {}};
  for (const int workers : kManyWorkers) map.x.push_back(fmt::format("{}", workers));
  for (const auto method : kSparsePushes) {
    auto& row = map.cells.emplace_back();
    for (const int workers : kManyWorkers) {
      const auto lost = interval_of(harm(rows, scale, method, workers));
      row.push_back(
          {.text = number_text(lost.mean, 2),
           .detail = fmt::format("{} … {}", number_text(lost.low, 1), number_text(lost.high, 1)),
           .fill = colour_of(lost.mean, kMuch)});
    }
  }
  return to_svg({map});
}

}  // namespace

void add_sparse_pushes(Paper& paper, Scale scale) {
  const auto sixteen = asynchronous(scale, 16), sixty_four = asynchronous(scale, 64);
  auto harmless = runs_at_all(scale, {1, 4, 16, 64}, kHarmlessPushes);
  for (const auto method : kHarmlessPushes) harmless.emplace_back(followed(scale), method(16));
  add_claim_on(
      paper, "harmless-ten", "later version: sparse pushes of 10 % do no harm", harmless,
      [=](const Rows& rows) { return does_no_harm(rows, scale, top_10); },
      [=](const Rows& rows) { return draw_workers(rows, scale); });
  add_claim_on(paper, "harmless-one", "later version: sparse pushes of 1 % do no harm",
               runs_at_all(scale, kManyWorkers, {dense_pushes, top_1}),
               [=](const Rows& rows) { return does_no_harm(rows, scale, top_1); });
  add_claim_on(paper, "improves", "first version: sparse pushes improve on dense ones",
               runs_at_all(scale, kManyWorkers, {dense_pushes, top_10}), [=](const Rows& rows) {
                 return for_each_count(kManyWorkers, [&](int workers) {
                   return sparse_improves_on(rows, asynchronous(scale, workers), top_10(workers),
                                             dense_pushes(workers));
                 });
               });
  add_claim_on(paper, "memory", "without memory sparse pushes are worse",
               {{sixteen, top_1_forgetful()}, {sixteen, top_1(16)}}, [=](const Rows& rows) {
                 return is_below(rows, sixteen, top_1_forgetful(), top_1(16), 0);
               });
  add_claim_on(paper, "random", "random coordinates are worse than the largest",
               {{sixteen, random_1()}, {sixteen, top_1(16)}},
               [=](const Rows& rows) { return is_below(rows, sixteen, random_1(), top_1(16), 0); });
  add_claim_on(paper, "remedies", "sparsification is a better remedy than damped rates",
               {{sixteen, top_10(16)},
                {sixteen, damped_pushes()},
                {sixty_four, top_10(64)},
                {sixty_four, damped_pushes()}},
               [=](const Rows& rows) { return sparse_beats_damped(rows, scale); });

  const auto resnet = asynchronous_resnet20(scale);
  const std::vector<Method> of_resnet = {resnet_pushes(dense_pushes(16)), resnet_pushes(top_10(16)),
                                         resnet_pushes(top_1(16))};
  TrainedClaims(paper, resnet)
      .add("deep", "sparse pushes do no harm on a residual network", of_resnet,
           [=](const Rows& rows, const Setting& s) {
             return all_of({no_loss(rows, s, of_resnet[1], of_resnet[0]),
                            no_loss(rows, s, of_resnet[2], of_resnet[0])});
           });

  add_claim_on(paper, "ratio-workers",
               "the harm of sparse pushes grows with both, sparsity and workers",
               runs_at_all(scale, kManyWorkers, {dense_pushes, top_10, top_1, top_01}),
               [=](const Rows& rows) { return harm_grows_along_both_axes(rows, scale); })
      .draw_svg = [=](const Rows& rows) { return draw_harm(rows, scale); };
}

}  // namespace terse::paper
