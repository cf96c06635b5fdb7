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
  on_resnet.add("vote-accuracy", "a vote costs little accuracy against distributed SGD",
                {kVote, kSgd},
                [](const Rows& rows, const Setting& s) { return no_loss(rows, s, kVote, kSgd); });
}

void add_vote_traffic(Paper& paper, Scale scale) {
  // Images do not change the bytes; the words of a text do.
  std::vector<std::string> names;
  for (const auto& setting : {lenet(Scale::quick), resnet20(Scale::quick), lstm(scale)}) {
    paper.experiments.push_back(vote_traffic(setting));
    names.push_back(traffic_of(setting));
  }
  paper.claims.push_back({.name = "vote-traffic",
                          .claimed = "a vote takes 32 times fewer bits, both ways",
                          .experiments = names,
                          .decide = [names](const Rows& rows) {
                            Finding finding{.verdict = Verdict::holds,
                                            .measured = "payload that a worker sends in a step"};
                            for (const auto& name : names) {
                              const double none = rows[name].at("none"),
                                           vote = rows[name].at("vote"), ratio = none / vote;
                              if (!(ratio >= 31 && ratio <= 32)) finding.verdict = Verdict::fails;
                              finding.measured +=
                                  fmt::format("{} {}: {:.0f} / {:.0f} = {:.3f}",
                                              name == names.front() ? "" : ";",
                                              name.substr(0, name.find('/')), none, vote, ratio);
                            }
                            return finding;
                          }});
}

// ---- times --------------------------------------------------------------------------------------

namespace {

constexpr const char* kVoteTimes = "times/resnet50-vote";
constexpr const char* kVoteNetworks = "times/resnet50-vote-networks";
constexpr const char* kVoteNetwork = "10gbe";
constexpr double kGpuCompute =
    0.35;  // seconds of forward and backward of 128 images, about a V100's

struct NamedNetwork {
  const char *network, *name;
};
constexpr NamedNetwork kBandwidths[] = {{"100mbps", "100 Mbit/s"},
                                        {"1gbe", "1 Gbit/s"},
                                        {kVoteNetwork, "10 Gbit/s"},
                                        {"100Gbps,20us", "100 Gbit/s"}};

TimedMethod timed_vote(const char* spec, std::vector<std::string> networks, int coding_runs) {
  return {.spec = spec,
          .workers = kVotingWorkers,
          .networks = std::move(networks),
          .coding_runs = coding_runs};
}

Experiment vote_times(Scale scale) {
  const auto of = [](const char* spec) { return timed_vote(spec, {kVoteNetwork}, 5); };
  return exchange_times(kVoteTimes, "resnet50", {of("none"), of("vote"), of("vote:beta=0.9")}, 45,
                        scale);
}

// The networks alone, which are exact.
Experiment vote_networks(Scale scale) {
  std::vector<std::string> networks;
  for (const auto& bandwidth : kBandwidths) networks.emplace_back(bandwidth.network);
  return exchange_times(kVoteNetworks, "resnet50",
                        {timed_vote("none", networks, 0), timed_vote("vote", networks, 0)}, 60,
                        scale);
}

// Momentum is a part of the vote's coding, but of the optimizer's update without compression, which
// no exchange contains. The vote that decides has none.
Finding exchange_is_shorter(const Rows& rows) {
  const auto& methods = rows[kVoteTimes].at("methods");
  const auto &none = methods[0], &vote = methods[1], &momentum = methods[2];
  const double of_none = exchange_seconds(none, kVoteNetwork);
  const double ratio = of_none / exchange_seconds(vote, kVoteNetwork);
  return {.verdict = holds_if(ratio > 4),
          .measured = fmt::format(
              "exchange of ResNet-50's gradient, none / vote: {} / {} = {:.1f}; of the network "
              "alone {:.1f}; with vote:beta=0.9, whose momentum is a part of coding, {:.1f}",
              milliseconds_text(of_none), milliseconds_text(exchange_seconds(vote, kVoteNetwork)),
              ratio, network_seconds(none, kVoteNetwork) / network_seconds(vote, kVoteNetwork),
              of_none / exchange_seconds(momentum, kVoteNetwork))};
}

// A step without compression: the share of its exchange, and how many times as long it is as one
// with the vote.
struct StepRatio {
  double share, ratio;
};
StepRatio step_ratio(const Rows& rows, const char* network, double compute) {
  const auto& networks = rows[kVoteNetworks];
  const double none = network_seconds(timed_method(networks, "none"), network);
  const double vote = network_seconds(timed_method(networks, "vote"), network) +
                      coding_seconds(timed_method(rows[kVoteTimes], "vote"));
  return {.share = none / (compute + none), .ratio = (compute + none) / (compute + vote)};
}

Finding gains_where_communication_dominates(const Rows& rows) {
  bool holds = true;
  auto text = fmt::format("step of none / vote, forward and backward {:g} s", kGpuCompute);
  for (const auto& [network, name] : kBandwidths) {
    const auto [share, ratio] = step_ratio(rows, network, kGpuCompute);
    holds = holds && (share > 0.5) == (ratio > 1.5);
    text += fmt::format("; {}: {:.2f}, communication being {:.0f} % of the step of none", name,
                        ratio, 100 * share);
  }
  return {.verdict = holds_if(holds), .measured = text};
}

Charts draw_step_ratios(const Rows& rows) {
  std::vector<std::string> names;
  for (const auto& bandwidth : kBandwidths) names.emplace_back(bandwidth.name);
  const std::vector<double> compute = {0.01, 0.03, 0.1, 0.3, 1, 3, 10};
  return {chart("ResNet-50's gradients, seven workers",
                {.label = "seconds of forward and backward", .logarithmic = true, .text = plain},
                {.label = "step of none / vote", .logarithmic = true, .text = plain}, compute,
                names, [&](std::size_t i, std::size_t k) {
                  return step_ratio(rows, kBandwidths[i].network, compute[k]).ratio;
                })};
}

}  // namespace

void add_vote_times(Paper& paper, Scale scale) {
  paper.experiments.push_back(vote_times(scale));
  paper.experiments.push_back(vote_networks(scale));
  paper.claims.push_back(
      {.name = "communication",
       .claimed = "a vote's communication takes over 4 times less time than SGD's",
       .experiments = {kVoteTimes},
       .decide = exchange_is_shorter});
  paper.claims.push_back({.name = "vote-step",
                          .claimed = "a vote shortens a step only where communication dominates it",
                          .experiments = {kVoteTimes, kVoteNetworks},
                          .decide = gains_where_communication_dominates,
                          .draw = draw_step_ratios});
}

}  // namespace terse::paper
