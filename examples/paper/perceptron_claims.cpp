#include "examples/paper/perceptron_claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/comparisons.hpp"
#include "examples/paper/megabytes_experiments.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/noise_experiments.hpp"
#include "examples/paper/noise_histograms.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

// As in the paper, without momentum. Signs are sent as packets of `vote`, one bit each, also by a
// single worker.
Method plain_signs(double rate) {
  return {.name = "signsgd", .compressor = "vote", .optimizer = "sgd", .rate = rate};
}

// ---- signs that are right -----------------------------------------------------------------------

run::LineChart coordinates_chart(const char* title, const char* key,
                                 const std::vector<std::pair<std::string, const json*>>& rows) {
  run::LineChart chart{.title = title,
                       .x = {.label = "epochs", .text = plain},
                       .y = {.label = "share of 200 coordinates", .text = plain},
                       .curves = {}};
  for (const auto& [name, row] : rows) {
    run::Curve curve{.name = name, .points = {}};
    const auto epochs = epoch_means(*row, "epoch"), shares = epoch_means(*row, key);
    for (std::size_t k = 0; k < epochs.size(); ++k) {
      curve.points.emplace_back(epochs[k], shares[k]);
    }
    chart.curves.push_back(std::move(curve));
  }
  return chart;
}

Finding signs_are_mostly_right(const json& row) {
  const auto shares = over_epochs(
      row, "right", [](const std::vector<double>& values) { return std::ranges::min(values); });
  return above(interval_of(shares), 0.5, 3, "least share of an epoch");
}

// ---- megabytes ----------------------------------------------------------------------------------

constexpr double kMegabytes = 2;  // that decide
constexpr std::int64_t kBudgetBatches[] = {32, 128, 512};

// What a method has bought with kMegabytes.
const json& decisive(const json& row, const json& method) {
  const auto budgets = numbers(row.at("megabytes"));
  const auto at = std::ranges::find(budgets, kMegabytes) - budgets.begin();
  return method.at("budgets").at(static_cast<std::size_t>(at));
}

Finding signs_are_ahead(const json& row, std::int64_t batch) {
  const auto scores_of = [&](std::size_t method) {
    return numbers(decisive(row, row.at("methods").at(method)).at("scores"));
  };
  auto finding = above(interval_of(differences(scores_of(0), scores_of(1))), 0, 2,
                       fmt::format("Δ signsgd − sgd, batch {}:", batch));
  for (std::size_t i = 0; i < 2; ++i) {
    const auto& method = row.at("methods").at(i);
    const auto& bought = decisive(row, method);
    finding.measured += fmt::format(
        "; {} {:.2f} (rate {:g}, {} steps of {:.0f} bytes)", method.at("name").get<std::string>(),
        interval_of(scores_of(i)).mean, bought.at("rate").get<double>(),
        bought.at("steps").get<std::int64_t>(), method.at("bytes").get<double>());
  }
  return finding;
}

run::LineChart megabytes_chart(const json& row, std::int64_t batch) {
  const auto& methods = row.at("methods");
  return chart(
      fmt::format("Batches of {}", batch), {.label = "megabytes sent by a worker", .text = plain},
      {.label = "test accuracy, %", .text = plain}, numbers(row.at("megabytes")),
      {methods.at(0).at("name"), methods.at(1).at("name")}, [&](std::size_t i, std::size_t k) {
        return interval_of(numbers(methods.at(i).at("budgets").at(k).at("scores"))).mean;
      });
}

// The claim about one experiment, at the batch of the other claims.
Claim early_in_training(const char* name, const char* claimed, const std::string& row) {
  constexpr std::int64_t kBatch = 128;
  return {.name = name,
          .claimed = claimed,
          .experiments = {row},
          .decide =
              [=](const Rows& rows) {
                auto finding = signs_are_ahead(rows[row], kBatch);
                finding.measured += "; bytes of a worker's payload in one direction";
                return finding;
              },
          .draw = [=](const Rows& rows) { return Charts{megabytes_chart(rows[row], kBatch)}; }};
}

void add_megabytes(Paper& paper, Scale scale, const std::string& mnist) {
  const std::vector<Method> methods = {plain_signs(0.004), plain_sgd(0.2)};
  paper.claims.push_back(early_in_training(
      "megabytes", "at equal communicated megabytes signSGD is ahead of SGD early in training",
      megabytes_of(128)));
  Claim all{
      .name = "megabytes-batches",
      .claimed = "at equal communicated megabytes signSGD is ahead of SGD for every batch size",
      .experiments = {},
      .decide =
          [](const Rows& rows) {
            std::vector<Finding> findings;
            for (const auto batch : kBudgetBatches) {
              findings.push_back(signs_are_ahead(rows[megabytes_of(batch)], batch));
            }
            return all_of(findings);
          },
      .draw =
          [](const Rows& rows) {
            Charts charts;
            for (const auto batch : kBudgetBatches) {
              charts.push_back(megabytes_chart(rows[megabytes_of(batch)], batch));
            }
            return charts;
          }};
  for (const auto batch : kBudgetBatches) {
    all.experiments.push_back(megabytes_of(batch));
    paper.experiments.push_back(bought_by_megabytes(scale, batch, methods));
  }
  paper.claims.push_back(std::move(all));
  paper.experiments.push_back(bought_on_mnist(scale, 128, methods, mnist));
  paper.claims.push_back(early_in_training(
      "megabytes-mnist",
      "at equal communicated megabytes signSGD is ahead of SGD early in training, on MNIST",
      kMegabytesOnMnist));
  paper.claims.back().flags = "--mnist FOLDER";
}

// ---- batches of one half of the classes ---------------------------------------------------------

// Each batch has classes 0-4 or 5-9, by a coin. The scores vary by which of them came last, so there
// are more seeds than elsewhere.
Setting split_batches(Scale scale) {
  auto setting = perceptron(scale);
  setting.name = "perceptron-split";
  if (scale == Scale::whole) setting.seeds = 10;
  setting.config.partition = kHalvesOfClasses;
  return setting;
}
Setting split_batches_at_constant_rate(Scale scale) {
  auto setting = split_batches(scale);
  setting.name = "perceptron-split-constant";
  setting.config.schedule = "constant";
  return setting;
}

double mean_over_epochs(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

Finding noise_has_more_modes(const json& split, const json& mixed) {
  const auto of_split = over_epochs(split, "several_modes", mean_over_epochs);
  const auto of_mixed = over_epochs(mixed, "several_modes", mean_over_epochs);
  auto finding = above(interval_of(differences(of_split, of_mixed)), 0, 3,
                       "Δ of the share that is not unimodal, split − mixed:");
  finding.measured += fmt::format("; share with split batches {:.3f}, with mixed ones {:.3f}",
                                  mean_over_epochs(of_split), mean_over_epochs(of_mixed));
  return finding;
}

// Whether a run of the row diverged.
bool has_no_curve(const json& row) {
  return std::ranges::any_of(row.at("seeds"),
                             [](const json& seed) { return seed.contains("failure"); });
}

// The changes from the middle of training, that of the third of five epochs, to its end. The score
// in the middle is the mean of those before and after that epoch; a loss is the mean over an epoch.
struct SecondHalf {
  Interval score, loss;
};
SecondHalf second_half(const json& row) {
  std::vector<double> scores, losses;
  for (const auto& seed : row.at("seeds")) {
    const auto& curve = seed.at("curve");
    const auto value = [&](std::size_t epoch, const char* key) {
      return curve.at(epoch).at(key).get<double>();
    };
    const std::size_t last = curve.size() - 1, middle = last / 2;
    const std::size_t before = middle == 0 ? 0 : middle - 1;
    scores.push_back(value(last, "score") - (value(before, "score") + value(middle, "score")) / 2);
    losses.push_back(value(last, "train_loss") - value(middle, "train_loss"));
  }
  return {.score = interval_of(scores), .loss = interval_of(losses)};
}

Finding stalls_in_second_half(const json& row, const json& at_constant_rate) {
  if (has_no_curve(row)) return {.verdict = Verdict::fails, .measured = "a run diverged"};
  const auto change = second_half(row);
  auto finding = all_of({within(change.score, -1, 1, 2, "Δ of test accuracy:"),
                         below(change.loss, 0, 3, "Δ of training loss:")});
  if (has_no_curve(at_constant_rate)) {
    finding.measured += "; at a constant rate a run diverged";
  } else {
    const auto other = second_half(at_constant_rate);
    finding.measured += fmt::format("; at a constant rate {} and {}", text_of(other.score, 2),
                                    text_of(other.loss, 3));
  }
  return finding;
}

}  // namespace

void add_perceptron_claims(Paper& paper, Scale scale, const std::string& mnist) {
  const auto mixed = perceptron(scale), split = split_batches(scale);
  const auto steady = split_batches_at_constant_rate(scale);
  const auto signs = plain_signs(0.002), split_signs = plain_signs(0.008), sgd = plain_sgd(0.2);
  // Adds an experiment to the latest claim.
  const auto use = [&](const Experiment& experiment) {
    paper.claims.back().experiments.push_back(experiment.name);
    add_once(paper, experiment);
  };

  paper.claims.push_back(
      {.name = "success-in-training",
       .claimed = "most signs of a network's gradient are right more often than not",
       .experiments = {},
       .decide = [=](const Rows& rows) { return signs_are_mostly_right(rows[noise_of(mixed)]); },
       .draw =
           [=](const Rows& rows) {
             return Charts{coordinates_chart("Coordinates whose sign is right more often than not",
                                             "right", {{"signsgd", &rows[noise_of(mixed)]}})};
           }});
  use(gradient_noise(mixed, signs));

  add_megabytes(paper, scale, mnist);

  TrainedClaims on_split(paper, split);
  on_split.add("split-batches",
               "training works although batches of one half of the classes make the noise bimodal",
               {split_signs, sgd}, [=](const Rows& rows, const Setting& s) {
                 auto finding = all_of(
                     {above(interval_of(scores(rows, s, split_signs)), 70, 2, "test accuracy"),
                      noise_has_more_modes(rows[noise_of(split)], rows[noise_of(mixed)])});
                 finding.measured += "; on mixed batches " + score_text(rows, mixed, signs);
                 return finding;
               });
  use(gradient_noise(mixed, signs));
  auto split_noise = split;
  split_noise.seeds = mixed.seeds;
  use(gradient_noise(split_noise, signs));
  use(tuned(mixed, signs));
  use(trained(mixed, signs));
  use(noise_histograms(split, split_signs, mixed.config.partition));
  paper.claims.back().draw = [=](const Rows& rows) {
    Charts charts = {
        score_chart(rows, split, {split_signs, sgd}),
        coordinates_chart(
            "Coordinates whose noise is not unimodal", "several_modes",
            {{"split batches", &rows[noise_of(split)]}, {"mixed batches", &rows[noise_of(mixed)]}}),
        coordinates_chart("Coordinates whose sign is right more often than not", "right",
                          {{"split batches", &rows[noise_of(split)]},
                           {"mixed batches", &rows[noise_of(mixed)]}})};
    const auto histograms = histogram_charts_beside(rows[histograms_of(split)], "dip",
                                                    "split batches", "mixed batches");
    charts.insert(charts.end(), histograms.begin(), histograms.end());
    return charts;
  };

  on_split.add("split-stall",
               "with batches of one half of the classes the test accuracy stalls in the second "
               "half of training, while the training loss still falls",
               {split_signs}, [=](const Rows& rows, const Setting& s) {
                 return stalls_in_second_half(rows[row_of(s, split_signs)],
                                              rows[row_of(steady, signs)]);
               });
  use(tuned(steady, signs));
  use(trained(steady, signs));
}

}  // namespace terse::paper
