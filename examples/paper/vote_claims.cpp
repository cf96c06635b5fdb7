#include "examples/paper/vote_claims.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "examples/paper/comparisons.hpp"
#include "examples/paper/exchange_time.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/training_experiments.hpp"
#include "examples/paper/vote_experiments.hpp"

namespace terse::paper {

void add_vote_workers(Paper& paper, Scale scale) {
  const std::vector<double> workers = {1, 2, 4, 8, 16};
  std::vector<Setting> settings;
  for (const double count : workers) {
    settings.push_back(with_workers(scale, static_cast<std::int64_t>(count)));
  }
  const auto decide = [one = settings.front(), most = settings.back()](const Rows& rows) {
    std::vector<Finding> findings;
    for (const auto& method : {kVote, kSgd}) {
      const auto gained = differences(scores(rows, most, method), scores(rows, one, method));
      findings.push_back(
          above(interval_of(gained), 0, 2, fmt::format("Δ {}, 16 − 1 workers:", method.name)));
    }
    return all_of(findings);
  };
  const auto draw = [=](const Rows& rows) {
    return Charts{chart_of_settings(rows, "LeNet-5 after equal numbers of steps, batches of 8",
                                    {.label = "workers", .logarithmic = true, .text = plain},
                                    {.label = "test accuracy, %", .text = plain}, workers, settings,
                                    {kVote, kSgd}, "score")};
  };
  add_claim_on(paper, "vote-workers", "the vote improves with the workers as distributed SGD does",
               runs_of(settings, {kVote, kSgd}), decide, draw);
}

void add_vote_accuracy(Paper& paper, Scale scale) {
  TrainedClaims on_resnet(paper, resnet20(scale));
  on_resnet.add(
      "vote-accuracy", "a vote costs little accuracy against distributed SGD", {kVote, kSgd},
      [](const Rows& rows, const Setting& s) { return no_loss(rows, s, kVote, kSgd); },
      TrainedClaims::Picture::curves);
}

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

// Momentum is a part of the vote's coding, but of the optimizer's update without compression, which
// no exchange contains. The vote that decides has none.
void add_communication(Paper& paper, Scale scale) {
  const std::string name = "times/resnet50-vote", network = "10gbe";
  const auto method = [&](const char* spec) {
    return TimedMethod{.spec = spec, .workers = kVotingWorkers, .networks = {network}};
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
