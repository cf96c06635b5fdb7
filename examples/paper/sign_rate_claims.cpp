#include "examples/paper/sign_rate_claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/comparisons.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/training_experiments.hpp"
#include "examples/paper/vote_experiments.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

// The candidates of signs and of SGD on one model.
struct Candidates {
  const char* model;
  std::string signs, sgd;  // rows
};

std::string ratio_text(double ratio) {
  return ratio < 1 ? fmt::format("1/{:.0f}", 1 / ratio) : fmt::format("{:.0f}", ratio);
}

// The best candidate and those beside it; 0 or infinity where there is none.
struct BestRate {
  double value, below, above;
};
BestRate best_rate(const json& row) {
  const auto rates = numbers(row.at("rates"));
  const auto at = std::ranges::find(rates, row.at("best").get<double>());
  return {.value = *at,
          .below = at == rates.begin() ? 0 : *std::prev(at),
          .above = std::next(at) == rates.end() ? std::numeric_limits<double>::infinity()
                                                : *std::next(at)};
}

// The best rate is known to one step between the candidates, so the ratio of two lies between those
// of their neighbours.
Finding small_ratio(const Rows& rows, const Candidates& candidates) {
  constexpr double kSmall = 1.0 / 30;
  const auto signs = best_rate(rows[candidates.signs]), sgd = best_rate(rows[candidates.sgd]);
  const double low = signs.below / sgd.above, high = signs.above / sgd.below;
  return {.verdict = high <= kSmall ? Verdict::holds
                     : low > kSmall ? Verdict::fails
                                    : Verdict::open,
          .measured =
              fmt::format("{}: {:.3g} / {:.3g} = {}, from {} to {} by the candidates beside",
                          candidates.model, signs.value, sgd.value,
                          ratio_text(signs.value / sgd.value), ratio_text(low), ratio_text(high))};
}

std::vector<double> losses(const Rows& rows, const Setting& setting, const Method& method) {
  return by_seed(rows[row_of(setting, method)], "loss");
}

}  // namespace

void add_small_rate(Paper& paper, Scale scale) {
  const auto n = lenet(scale), r = resnet20(scale), l = lstm(scale);
  add_once(paper, swept(n, kSignSgd));
  add_once(paper, swept(n, kSgd));
  for (const auto& experiment :
       {tuned(r, kVote), tuned(r, kSgd), tuned(l, kTextVote), tuned(l, kTextSgd)}) {
    add_once(paper, experiment);
  }
  const std::vector<Candidates> models = {
      {.model = "lenet", .signs = sweep_of(n, kSignSgd), .sgd = sweep_of(n, kSgd)},
      {.model = "resnet20", .signs = tuning_of(r, kVote), .sgd = tuning_of(r, kSgd)},
      {.model = "lstm", .signs = tuning_of(l, kTextVote), .sgd = tuning_of(l, kTextSgd)}};
  Claim claim{
      .name = "small-rate",
      .claimed = "the best rate of signs is about a hundredth of SGD's or less",
      .experiments = {},
      .decide =
          [models](const Rows& rows) {
            std::vector<Finding> findings;
            for (const auto& model : models) findings.push_back(small_ratio(rows, model));
            return all_of(findings);
          },
      .draw =
          [of_n = models.front()](const Rows& rows) {
            const auto &signs = rows[of_n.signs], &sgd = rows[of_n.sgd];
            return Charts{chart("LeNet-5 by learning rate",
                                {.label = "learning rate", .logarithmic = true, .text = plain},
                                {.label = "validation accuracy, %", .text = plain},
                                numbers(signs.at("rates")), {kSignSgd.name, kSgd.name},
                                [&](std::size_t i, std::size_t k) {
                                  return (i == 0 ? signs : sgd).at("scores").at(k).get<double>();
                                })};
          }};
  for (const auto& model : models) {
    claim.experiments.push_back(model.signs);
    claim.experiments.push_back(model.sgd);
  }
  paper.claims.push_back(std::move(claim));
}

void add_batch_sweep(Paper& paper, Scale scale) {
  const std::vector<double> batches = {32, 128, 512};
  std::vector<Setting> settings;
  for (const double batch : batches) {
    settings.push_back(with_batch(scale, static_cast<std::int64_t>(batch)));
  }
  const auto change = [small = settings.front(), large = settings.back()](const Rows& rows,
                                                                          const Method& method) {
    return interval_of(differences(losses(rows, large, method), losses(rows, small, method)));
  };
  const auto decide = [change](const Rows& rows) {
    auto finding = below(change(rows, kSignSgd), 0, 3, "Δ of the test loss, 512 − 32:");
    finding.measured += fmt::format("; of SGD {}", text_of(change(rows, kSgd), 3));
    return finding;
  };
  const auto draw = [=](const Rows& rows) {
    return Charts{chart_of_settings(rows, "LeNet-5 after equal numbers of steps",
                                    {.label = "batch", .logarithmic = true, .text = plain},
                                    {.label = "test loss", .text = plain}, batches, settings,
                                    {kSignSgd, kSgd}, "loss")};
  };
  add_claim_on(paper, "batch-sweep", "larger batches help signs (noise falls below the signal)",
               runs_of(settings, {kSignSgd, kSgd}), decide, draw);
}

}  // namespace terse::paper
