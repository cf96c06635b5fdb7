#include "examples/paper/pays_contests.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "examples/paper/comparisons.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/pays_experiments.hpp"
#include "examples/paper/row_values.hpp"

namespace terse::paper {
namespace {

using nlohmann::json;

const Method kHalf{.name = "half",
                   .compressor = "fp16:reduce=wide",
                   .optimizer = "sgd:momentum=0.9",
                   .rate = 0.05};
const Method kTextHalf{.name = "half",
                       .compressor = "fp16:reduce=wide",
                       .optimizer = "sgd+clip:norm=0.25",
                       .rate = 20};
const Method kTopOnePercent{.name = "top-k", .compressor = "topk:ratio=0.01+ef", .rate = 0.4};
const Method kTextTopOnePercent = clipped("top-k", "topk:ratio=0.01+ef+clip:norm=0.25");
const Method kTextSign{.name = "sign", .compressor = "sign+ef+clip:norm=0.25", .rate = 10};

// ---- steps to a score ---------------------------------------------------------------------------

double mean_score(const json& row) {
  return interval_of(by_seed(row, "score")).mean;
}

// The steps until the mean of a row's seeds reaches the score; infinite if it never does, or if a run
// diverged.
double steps_to(const json& row, const Setting& setting, double target) {
  const auto level = [&](double score) {
    return setting.lower_is_better ? -std::log(score) : score;
  };
  constexpr double kNever = std::numeric_limits<double>::infinity();
  for (const auto& seed : row.at("seeds")) {
    if (seed.contains("failure")) return kNever;
  }
  const auto& first = row.at("seeds").at(0);
  double epoch = 0, before = level(setting.guess);
  for (std::size_t i = 0; i < first.at("curve").size(); ++i) {
    const auto levels = by_seed(row, [&](const json& seed) {
      return level(seed.at("curve").at(i).at("score").get<double>());
    });
    const double now = interval_of(levels).mean, end = first.at("curve").at(i).at("epoch");
    if (now >= level(target)) {
      const double share = before >= level(target) ? 0 : (level(target) - before) / (now - before);
      const double steps_per_epoch =
          first.at("steps").get<double>() / first.at("curve").back().at("epoch").get<double>();
      return (epoch + share * (end - epoch)) * steps_per_epoch;
    }
    epoch = end;
    before = now;
  }
  return kNever;
}

// ---- winners ------------------------------------------------------------------------------------

// By how much of its time the best method of one kind must lead that of the other to be first.
constexpr double kLead = 0.2;

Winner::Kind kind_of_winner(std::span<const double> seconds) {
  const double plain = std::ranges::min(seconds.first(kUncompressed));
  const double compressed = std::ranges::min(seconds.subspan(kUncompressed));
  if (plain > (1 + kLead) * compressed) return Winner::Kind::compressor;
  return compressed > (1 + kLead) * plain ? Winner::Kind::uncompressed : Winner::Kind::tie;
}

// The score to reach: what the method to beat has at the end, less what counts as no loss.
double target_of(const Rows& rows, const Contest& contest) {
  return without_loss(contest.setting,
                      mean_score(rows[row_of(contest.setting, contest.methods.front())]));
}

// Of each method to the target.
std::vector<double> steps_of(const Rows& rows, const Contest& contest) {
  const double target = target_of(rows, contest);
  std::vector<double> steps;
  for (const auto& method : contest.methods) {
    steps.push_back(steps_to(rows[row_of(contest.setting, method)], contest.setting, target));
  }
  return steps;
}

// " (reached by 1 of 3 seeds)"; empty if all reach the score or none does.
std::string seeds_text(const json& row, const Setting& setting, double target) {
  const auto& seeds = row.at("seeds");
  const auto reaches = [&](const json& evaluation) {
    const double score = evaluation.at("score");
    return setting.lower_is_better ? score <= target : score >= target;
  };
  const auto count = std::ranges::count_if(seeds, [&](const json& seed) {
    return !seed.contains("failure") && std::ranges::any_of(seed.at("curve"), reaches);
  });
  if (count == 0 || count == std::ssize(seeds)) return "";
  return fmt::format(" (reached by {} of {} seeds)", count, seeds.size());
}

}  // namespace

std::vector<Contest> contests(Scale scale) {
  return {{resnet20(scale), {kHalf, kSgd, kRankTwo, kVote, kSign, kTopOnePercent}},
          {lstm(scale),
           {kTextHalf, kTextSgd, kTextRankOne, kTextRankFour, kTextVote, kTextSign,
            kTextTopOnePercent}}};
}

std::string steps_text(const Rows& rows, const Contest& contest) {
  const auto& setting = contest.setting;
  const double target = target_of(rows, contest);
  const auto& seed = rows[row_of(setting, contest.methods.front())].at("seeds").at(0);
  auto text = fmt::format("{}, steps to {:.2f} of {}:", setting.name, target,
                          seed.at("steps").get<std::int64_t>());
  const auto steps = steps_of(rows, contest);
  for (std::size_t m = 0; m < steps.size(); ++m) {
    const auto& method = contest.methods[m];
    text += fmt::format("{} {} {}{}", m == 0 ? "" : ",", method.name,
                        std::isfinite(steps[m]) ? fmt::format("{:.0f}", steps[m]) : "never",
                        seeds_text(rows[row_of(setting, method)], setting, target));
  }
  return text;
}

std::vector<Winner> winners_of(const Rows& rows, const Contest& contest, Scale scale) {
  const auto& setting = contest.setting;
  const auto& methods = contest.methods;
  const auto steps = steps_of(rows, contest);
  const auto& times = rows[step_times_row(setting)];
  const auto rates = bandwidths(scale);
  std::vector<Winner> winners;
  for (const auto workers : worker_counts(setting, scale)) {
    for (std::size_t k = 0; k < rates.size(); ++k) {
      std::vector<double> seconds;
      for (std::size_t m = 0; m < methods.size(); ++m) {
        seconds.push_back(steps[m] * step_seconds(times, methods[m].name, workers, k));
      }
      const auto first = static_cast<std::size_t>(std::ranges::min_element(seconds) -
                                                  seconds.begin());  // the first of equal ones
      winners.push_back({.workers = workers,
                         .bits_per_second = rates[k],
                         .name = methods[first].name,
                         .times = seconds.front() / seconds[first],
                         .kind = kind_of_winner(seconds)});
    }
  }
  return winners;
}

}  // namespace terse::paper
