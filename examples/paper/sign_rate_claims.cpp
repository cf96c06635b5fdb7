#include "examples/paper/sign_rate_claims.hpp"

#include <fmt/format.h>

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

// The candidates of signs and of SGD on one model.
struct Candidates {
  const char* model;
  std::string signs, sgd;  // rows
};

std::string ratio_text(double ratio) {
  return ratio < 1 ? fmt::format("1/{:.3g}", 1 / ratio) : fmt::format("{:.3g}", ratio);
}

// The candidates bound the ratio that can be found; three of them were placed by hand.
Finding small_ratio(const Rows& rows, const Candidates& candidates) {
  const auto &signs = rows[candidates.signs], &sgd = rows[candidates.sgd];
  const auto of_signs = numbers(signs["rates"]), of_sgd = numbers(sgd["rates"]);
  const double rate = signs["best"], sgd_rate = sgd["best"], ratio = rate / sgd_rate;
  return {.verdict = ratio <= 1.0 / 30 ? Verdict::holds : Verdict::fails,
          .measured =
              fmt::format("{}: {:.3g} / {:.3g} = {} (candidates: {} … {})", candidates.model, rate,
                          sgd_rate, ratio_text(ratio), ratio_text(of_signs.front() / of_sgd.back()),
                          ratio_text(of_signs.back() / of_sgd.front()))};
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
  Claim claim{.name = "small-rate",
              .claimed = "the best rate of signs is a hundredth of SGD's or less",
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
                    return Charts{chart(
                        "LeNet-5 by learning rate",
                        {.label = "learning rate", .logarithmic = true, .text = plain},
                        {.label = "validation accuracy, %", .text = plain}, numbers(signs["rates"]),
                        {kSignSgd.name, kSgd.name}, [&](std::size_t i, std::size_t k) {
                          return (i == 0 ? signs : sgd)["scores"][k].get<double>();
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
