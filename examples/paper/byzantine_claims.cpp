#include "examples/paper/byzantine_claims.hpp"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "examples/paper/comparisons.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/statistics.hpp"
#include "examples/paper/training_experiments.hpp"
#include "examples/paper/vote_experiments.hpp"

namespace terse::paper {
namespace {

// With so many Byzantine workers of seven: the accuracy of LeNet-5, which `verdict` judges, that of
// ResNet-20 with one seed, and both with workers that send noise, whose votes are coins.
void add_adversaries_claim(Paper& paper, Scale scale, const char* name, const char* claimed,
                           int count, Finding (*verdict)(const Interval&, std::string_view)) {
  using enum Byzantine;
  const auto n = lenet(scale), r = resnet20(scale);
  const std::vector<Setting> settings = {
      with_byzantine(n, scale, inverted, count), with_byzantine(n, scale, scaled, count),
      with_byzantine(r, scale, inverted, count), with_byzantine(r, scale, scaled, count),
      with_byzantine(n, scale, random, count),   with_byzantine(r, scale, random, count)};
  const auto decide = [=](const Rows& rows) {
    const auto accuracy = [&](std::size_t i) {
      return interval_of(scores(rows, settings[i], kVote));
    };
    auto finding = all_of({verdict(accuracy(0), fmt::format("lenet, {} of 7 inverted:", count)),
                           verdict(accuracy(1), "−100 g:")});
    finding.measured += fmt::format("; resnet20, one seed: inverted {:.1f}, −100 g {:.1f}",
                                    accuracy(2).mean, accuracy(3).mean);
    finding.measured += fmt::format("; beside, noise instead: lenet {}, resnet20 {:.1f}",
                                    text_of(accuracy(4), 1), accuracy(5).mean);
    return finding;
  };
  add_claim_on(paper, name, claimed, runs_of(settings, {kVote}), decide);
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
  for (int count = 0; count <= kVotingWorkers / 2 + 1; ++count) {
    counts.push_back(count);
    settings.push_back(with_byzantine(lenet(scale), scale, Byzantine::inverted, count));
  }
  for (const auto& [setting, method] : runs_of(settings, {kVote, kSgd})) {
    add_trained(paper, claim, setting, method);
  }
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
  const auto decide = [=](const Rows& rows) {
    auto finding = breaks(interval_of(scores(rows, scaled, kSgd)),
                          "accuracy with one of 7 that sends −100 g:");
    finding.measured += fmt::format("; without a Byzantine worker {}",
                                    text_of(interval_of(scores(rows, honest, kSgd)), 1));
    return finding;
  };
  add_claim_on(paper, "mean-breaks", "one worker of large magnitude ruins the mean",
               runs_of({honest, scaled}, {kSgd}), decide);
}

}  // namespace

void add_adversaries(Paper& paper, Scale scale) {
  add_adversaries_claim(paper, scale, "adversaries", "training survives 3 Byzantine workers of 7",
                        kVotingWorkers / 2, survives);
  draw_inverted_workers(paper, paper.claims.back(), scale);
  add_adversaries_claim(paper, scale, "adversaries-half",
                        "training breaks with more than half of the workers Byzantine",
                        kVotingWorkers / 2 + 1, breaks);
  add_mean_breaks(paper, scale);
}

}  // namespace terse::paper
