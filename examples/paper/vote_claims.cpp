#include "examples/paper/vote_claims.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/comparisons.hpp"
#include "examples/paper/exchange_time.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/vote_experiments.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

std::vector<double> losses(const Rows& rows, const Setting& setting, const Method& method) {
  return by_seed(rows[row_of(setting, method)], "loss");
}
std::vector<double> accuracies(const Rows& rows, const Setting& setting, const Method& method) {
  return scores(rows, row_of(setting, method));
}

// The means over the seeds of seed[key], a curve for each method, over settings at `x`.
run::LineChart chart_of_settings(const Rows& rows, std::string title, run::ChartAxis x_axis,
                                 run::ChartAxis y_axis, const std::vector<double>& x,
                                 const std::vector<Setting>& settings,
                                 const std::vector<Method>& methods, const char* key) {
  std::vector<std::string> names;
  for (const auto& method : methods) names.push_back(method.name);
  return chart(std::move(title), std::move(x_axis), std::move(y_axis), x, names,
               [&](std::size_t i, std::size_t k) {
                 return interval_of(by_seed(rows[row_of(settings[k], methods[i])], key)).mean;
               });
}

// A claim about the runs of all methods in all settings, whose experiments the paper gets.
Claim claim_of_runs(Paper& paper, const char* name, const char* claimed,
                    const std::vector<Setting>& settings, const std::vector<Method>& methods) {
  Claim claim{.name = name, .claimed = claimed, .experiments = {}, .decide = {}};
  for (const auto& setting : settings) {
    for (const auto& method : methods) add_trained(paper, claim, setting, method);
  }
  return claim;
}

// ---- Adam's limit -------------------------------------------------------------------------------

Finding adam_is_sign_descent(const Rows& rows) {
  const auto& row = rows["perceptron/adam-limit"];
  return {.verdict = row["differ"] == 0 ? Verdict::holds : Verdict::fails,
          .measured = fmt::format(
              "largest difference {:g}: {} of {} parameters differ; test accuracy {:.1f}",
              row["difference"].get<double>(), row["differ"].get<int>(),
              row["parameters"].get<int>(), row["score"].get<double>())};
}

}  // namespace

void add_adam_limit(Paper& paper, Scale scale) {
  paper.experiments.push_back(adam_limit(scale));
  paper.claims.push_back({.name = "adam-limit",
                          .claimed = "Adam with β₁ = β₂ = ε = 0 is signSGD",
                          .experiments = {"perceptron/adam-limit"},
                          .decide = adam_is_sign_descent});
}

// ---- learning rates -----------------------------------------------------------------------------

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

// ---- batches and workers ------------------------------------------------------------------------

void add_batch_sweep(Paper& paper, Scale scale) {
  const std::vector<double> batches = {32, 128, 512};
  std::vector<Setting> settings;
  for (const double batch : batches) {
    settings.push_back(with_batch(scale, static_cast<std::int64_t>(batch)));
  }
  auto claim = claim_of_runs(paper, "batch-sweep",
                             "larger batches help signs (noise falls below the signal)", settings,
                             {kSignSgd, kSgd});
  const auto change = [small = settings.front(), large = settings.back()](const Rows& rows,
                                                                          const Method& method) {
    return interval_of(differences(losses(rows, large, method), losses(rows, small, method)));
  };
  claim.decide = [change](const Rows& rows) {
    auto finding = below(change(rows, kSignSgd), 0, 3, "Δ of the test loss, 512 − 32:");
    finding.measured += fmt::format("; of SGD {}", text_of(change(rows, kSgd), 3));
    return finding;
  };
  claim.draw = [=](const Rows& rows) {
    return Charts{chart_of_settings(rows, "LeNet-5 after equal numbers of steps",
                                    {.label = "batch", .logarithmic = true, .text = plain},
                                    {.label = "test loss", .text = plain}, batches, settings,
                                    {kSignSgd, kSgd}, "loss")};
  };
  paper.claims.push_back(std::move(claim));
}

void add_vote_workers(Paper& paper, Scale scale) {
  const std::vector<double> workers = {1, 2, 4, 8, 16};
  std::vector<Setting> settings;
  for (const double count : workers) {
    settings.push_back(with_workers(scale, static_cast<std::int64_t>(count)));
  }
  auto claim = claim_of_runs(paper, "vote-workers",
                             "the vote improves with the workers as distributed SGD does", settings,
                             {kVote, kSgd});
  claim.decide = [one = settings.front(), most = settings.back()](const Rows& rows) {
    std::vector<Finding> findings;
    for (const auto& method : {kVote, kSgd}) {
      const auto gained =
          differences(accuracies(rows, most, method), accuracies(rows, one, method));
      findings.push_back(
          above(interval_of(gained), 0, 2, fmt::format("Δ {}, 16 − 1 workers:", method.name)));
    }
    return all_of(findings);
  };
  claim.draw = [=](const Rows& rows) {
    return Charts{chart_of_settings(rows, "LeNet-5 after equal numbers of steps, batches of 8",
                                    {.label = "workers", .logarithmic = true, .text = plain},
                                    {.label = "test accuracy, %", .text = plain}, workers, settings,
                                    {kVote, kSgd}, "score")};
  };
  paper.claims.push_back(std::move(claim));
}

// ---- traffic ------------------------------------------------------------------------------------

void add_vote_traffic(Paper& paper, Scale scale) {
  // Images do not change the bytes; the words of a text do.
  std::vector<std::string> names;
  for (const auto& setting : {lenet(Scale::quick), resnet20(Scale::quick), lstm(scale)}) {
    paper.experiments.push_back(vote_traffic(setting));
    names.push_back(traffic_of(setting));
  }
  paper.claims.push_back(
      {.name = "vote-traffic",
       .claimed = "a vote takes 32 times fewer bits, both ways",
       .experiments = names,
       .decide = [names](const Rows& rows) {
         Finding finding{.verdict = Verdict::holds,
                         .measured = "payload that a worker sends in a step"};
         for (const auto& name : names) {
           const double none = rows[name]["none"], vote = rows[name]["vote"], ratio = none / vote;
           if (!(ratio >= 31 && ratio <= 32)) finding.verdict = Verdict::fails;
           finding.measured +=
               fmt::format("{} {}: {:.0f} / {:.0f} = {:.3f}", name == names.front() ? "" : ";",
                           name.substr(0, name.find('/')), none, vote, ratio);
         }
         return finding;
       }});
}

// ---- Byzantine workers --------------------------------------------------------------------------

namespace {

// With so many Byzantine workers of seven: the accuracy of LeNet-5, which `verdict` judges, and that
// of ResNet-20 with one seed.
void add_adversaries_claim(Paper& paper, Scale scale, const char* name, const char* claimed,
                           int count, Finding (*verdict)(const Interval&, std::string_view)) {
  using enum Byzantine;
  const auto n = lenet(scale), r = resnet20(scale);
  const std::vector<Setting> settings = {
      with_byzantine(n, scale, inverted, count), with_byzantine(n, scale, scaled, count),
      with_byzantine(r, scale, inverted, count), with_byzantine(r, scale, scaled, count)};
  auto claim = claim_of_runs(paper, name, claimed, settings, {kVote});
  claim.decide = [=](const Rows& rows) {
    const auto accuracy = [&](std::size_t i) {
      return interval_of(accuracies(rows, settings[i], kVote));
    };
    auto finding = all_of({verdict(accuracy(0), fmt::format("lenet, {} of 7 inverted:", count)),
                           verdict(accuracy(1), "−100 g:")});
    finding.measured += fmt::format("; resnet20, one seed: inverted {:.1f}, −100 g {:.1f}",
                                    accuracy(2).mean, accuracy(3).mean);
    return finding;
  };
  paper.claims.push_back(std::move(claim));
}

Finding survives(const Interval& accuracy, std::string_view quantity) {
  return above(accuracy, 50, 1, quantity);
}
Finding breaks(const Interval& accuracy, std::string_view quantity) {
  return below(accuracy, 20, 1, quantity);
}

// Accuracy over the number of inverted workers, of the vote and of the mean.
void draw_inverted_workers(Paper& paper, Claim& claim, Scale scale) {
  std::vector<double> counts;
  std::vector<Setting> settings;
  for (int count = 0; count <= kVoters / 2 + 1; ++count) {
    counts.push_back(count);
    settings.push_back(with_byzantine(lenet(scale), scale, Byzantine::inverted, count));
  }
  const auto runs = claim_of_runs(paper, "", "", settings, {kVote, kSgd}).experiments;
  claim.experiments.insert(claim.experiments.end(), runs.begin(), runs.end());
  claim.draw = [=](const Rows& rows) {
    return Charts{chart_of_settings(rows, "LeNet-5, some of seven workers send the opposite",
                                    {.label = "inverted workers", .text = plain},
                                    {.label = "test accuracy, %", .text = plain}, counts, settings,
                                    {kVote, kSgd}, "score")};
  };
}

void add_mean_breaks(Paper& paper, Scale scale) {
  const auto honest = with_byzantine(lenet(scale), scale, Byzantine::scaled, 0);
  const auto scaled = with_byzantine(lenet(scale), scale, Byzantine::scaled, 1);
  auto claim = claim_of_runs(paper, "mean-breaks", "one worker of large magnitude ruins the mean",
                             {honest, scaled}, {kSgd});
  claim.decide = [=](const Rows& rows) {
    auto finding = breaks(interval_of(accuracies(rows, scaled, kSgd)),
                          "accuracy with one of 7 that sends −100 g:");
    finding.measured += fmt::format("; without a Byzantine worker {}",
                                    text_of(interval_of(accuracies(rows, honest, kSgd)), 1));
    return finding;
  };
  paper.claims.push_back(std::move(claim));
}

}  // namespace

void add_adversaries(Paper& paper, Scale scale) {
  add_adversaries_claim(paper, scale, "adversaries", "training survives 3 Byzantine workers of 7",
                        kVoters / 2, survives);
  draw_inverted_workers(paper, paper.claims.back(), scale);
  add_adversaries_claim(paper, scale, "adversaries-half",
                        "training breaks with more than half of the workers Byzantine",
                        kVoters / 2 + 1, breaks);
  add_mean_breaks(paper, scale);
}

// ---- the time of an exchange --------------------------------------------------------------------

// Momentum is a part of the vote's coding, but of the optimizer's update without compression, which
// no exchange contains. The vote that decides has none.
void add_communication(Paper& paper, Scale scale) {
  const std::string name = "times/resnet50-vote", network = "10gbe";
  const auto method = [&](const char* spec) {
    return TimedMethod{.spec = spec, .workers = kVoters, .networks = {network}};
  };
  paper.experiments.push_back(exchange_times(
      name, "resnet50", {method("none"), method("vote"), method("vote:beta=0.9")}, 45, scale));
  paper.claims.push_back(
      {.name = "communication",
       .claimed = "a vote's communication takes over 4 times less time than SGD's",
       .experiments = {name},
       .decide = [=](const Rows& rows) {
         const auto& methods = rows[name]["methods"];
         const auto &none = methods[0], &vote = methods[1], &momentum = methods[2];
         const double of_none = exchange_seconds(none, network);
         const double ratio = of_none / exchange_seconds(vote, network);
         return Finding{
             .verdict = ratio > 4 ? Verdict::holds : Verdict::fails,
             .measured = fmt::format(
                 "exchange of ResNet-50's gradient, none / vote: {} / {} = {:.1f}; of the network "
                 "alone {:.1f}; with vote:beta=0.9, whose momentum is a part of coding, {:.1f}",
                 milliseconds_text(of_none), milliseconds_text(exchange_seconds(vote, network)),
                 ratio, network_seconds(none, network) / network_seconds(vote, network),
                 of_none / exchange_seconds(momentum, network))};
       }});
}

}  // namespace terse::paper
