// Does compression pay? The question that the four papers have in common, asked of the curves of R
// and L: with the step times of modelled networks, which method is first to a given score?
//
//   seconds to the score = steps to the score · seconds of a step (pays_experiments.hpp)
//   score                that of 16-bit sums at the end, less one point (perplexity: plus 2 %)
//   steps                from the evaluations of the curve, linear in between; perplexity by its
//                        logarithm. The curve begins at the score of a model that guesses
//
// The global batch is fixed, so the workers change the time of a step alone.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "examples/paper/claim.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/methods.hpp"
#include "examples/paper/pays_experiments.hpp"
#include "examples/paper/row_values.hpp"
#include "examples/paper/winner_map.hpp"

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

// A model and its methods. The first is the one to beat; the second compresses nothing either.
struct Contest {
  Setting setting;
  std::vector<Method> methods;
};
constexpr std::size_t kUncompressed = 2;

std::vector<Contest> contests(Scale scale) {
  return {{resnet20(scale), {kHalf, kSgd, kRankTwo, kVote, kSign, kTopOnePercent}},
          {lstm(scale),
           {kTextHalf, kTextSgd, kTextRankOne, kTextRankFour, kTextClippedMean, kTextVote,
            kTextSign, kTextTopOnePercent}}};
}

// ---- steps to a score ---------------------------------------------------------------------------

double mean_score(const json& row) {
  return interval_of(by_seed(row, "score")).mean;
}

// The mean steps of a row's seeds until the score is reached; infinite if a seed never reaches it.
double steps_to(const json& row, const Setting& setting, double target) {
  const auto level = [&](double score) {
    return setting.lower_is_better ? -std::log(score) : score;
  };
  double sum = 0;
  for (const auto& seed : row["seeds"]) {
    if (seed.contains("failure")) return std::numeric_limits<double>::infinity();
    const double steps_per_epoch =
        seed["steps"].get<double>() / seed["curve"].back()["epoch"].get<double>();
    double epoch = 0, before = level(setting.guess), reached = -1;
    for (const auto& evaluation : seed["curve"]) {
      const double now = level(evaluation["score"]), end = evaluation["epoch"];
      if (now >= level(target)) {
        const double share =
            before >= level(target) ? 0 : (level(target) - before) / (now - before);
        reached = epoch + share * (end - epoch);
        break;
      }
      epoch = end;
      before = now;
    }
    if (reached < 0) return std::numeric_limits<double>::infinity();
    sum += reached * steps_per_epoch;
  }
  return sum / static_cast<double>(row["seeds"].size());
}

// ---- winners ------------------------------------------------------------------------------------

// Who is first in a network, and how many times as fast as the method to beat.
struct Winner {
  std::int64_t workers;
  double bits_per_second;
  std::string name;
  bool compressor;
  double times;
};

std::vector<Winner> winners_of(const Rows& rows, const Contest& contest, Scale scale) {
  const auto& setting = contest.setting;
  const auto& methods = contest.methods;
  const auto row_of_method = [&](const Method& method) -> const json& {
    return rows[row_of(setting, method)];
  };
  const double target = without_loss(setting, mean_score(row_of_method(methods.front())));
  std::vector<double> steps;
  for (const auto& method : methods) {
    steps.push_back(steps_to(row_of_method(method), setting, target));
  }
  const auto& times = rows[step_times_row(setting)];
  const auto rates = bandwidths(scale);
  std::vector<Winner> winners;
  for (const auto workers : worker_counts(scale)) {
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
                         .compressor = first >= kUncompressed,
                         .times = seconds.front() / seconds[first]});
    }
  }
  return winners;
}

// The share of the settings with such a bandwidth in which a compressor is first.
struct Share {
  int first = 0, all = 0;
  double value() const { return static_cast<double>(first) / all; }
};
template <class Bandwidths>
Share share_of(const std::vector<Winner>& winners, Bandwidths counted) {
  Share share;
  for (const auto& winner : winners) {
    if (!counted(winner.bits_per_second)) continue;
    ++share.all;
    share.first += winner.compressor ? 1 : 0;
  }
  return share;
}

Verdict verdict_of(const Share& share) {
  return share.value() > 0.5 ? Verdict::holds : Verdict::fails;
}

// Over both models, with the share of each.
template <class Bandwidths>
Finding of_both_models(const Rows& rows, Scale scale, Bandwidths counted) {
  Share both;
  std::string text;
  for (const auto& contest : contests(scale)) {
    const auto share = share_of(winners_of(rows, contest, scale), counted);
    both.first += share.first;
    both.all += share.all;
    text += fmt::format("; {} {} of {}", contest.setting.name, share.first, share.all);
  }
  return {.verdict = verdict_of(both),
          .measured = fmt::format("a compressor is first in {} of {} settings{}", both.first,
                                  both.all, text)};
}

Finding of_each_model(const Rows& rows, Scale scale) {
  Finding finding{.verdict = Verdict::holds, .measured = {}};
  for (const auto& contest : contests(scale)) {
    const auto share = share_of(winners_of(rows, contest, scale), [](double) { return true; });
    if (verdict_of(share) != Verdict::holds) finding.verdict = Verdict::fails;
    finding.measured += fmt::format(
        "{}{}: a compressor is first in {} of {} settings; forward and backward of the batch "
        "{:.2f} "
        "s on one thread",
        finding.measured.empty() ? "" : "; ", contest.setting.name, share.first, share.all,
        rows[step_times_row(contest.setting)]["compute"].get<double>());
  }
  return finding;
}

std::string bandwidth_text(double bits_per_second) {
  return bits_per_second < 1e9 ? fmt::format("{:g} Mbit/s", bits_per_second / 1e6)
                               : fmt::format("{:g} Gbit/s", bits_per_second / 1e9);
}

std::string draw_winners(const Rows& rows, Scale scale) {
  std::vector<WinnerMap> maps;
  for (const auto& contest : contests(scale)) {
    WinnerMap map{.title = contest.setting.config.model +
                           ": first to the score of 16-bit sums, and how many times as fast",
                  .x_label = "bandwidth",
                  .y_label = "workers",
                  .x = {},
                  .y = {},
                  .cells = {},
                  .plain = {}};
    for (const double rate : bandwidths(scale)) map.x.push_back(bandwidth_text(rate));
    for (std::size_t m = 0; m < kUncompressed; ++m) map.plain.push_back(contest.methods[m].name);
    for (const auto& winner : winners_of(rows, contest, scale)) {
      const auto label = fmt::format("{}", winner.workers);
      if (map.y.empty() || map.y.back() != label) {
        map.y.push_back(label);
        map.cells.emplace_back();
      }
      map.cells.back().push_back(
          {.winner = winner.name, .detail = fmt::format("{:.3g}×", winner.times)});
    }
    maps.push_back(std::move(map));
  }
  return to_svg(maps);
}

void add_experiments(Paper& paper, const Contest& contest, Scale scale) {
  for (const auto& method : contest.methods) {
    paper.experiments.push_back(tuned(contest.setting, method));
    paper.experiments.push_back(trained(contest.setting, method));
  }
  paper.experiments.push_back(step_times_of(contest.setting, contest.methods, scale));
}

}  // namespace

Paper compression_pays(Scale scale) {
  Paper paper{.number = "pays", .title = "Does compression pay?", .claims = {}, .experiments = {}};
  std::vector<std::string> rows;
  for (const auto& contest : contests(scale)) {
    add_experiments(paper, contest, scale);
    for (const auto& method : contest.methods) rows.push_back(row_of(contest.setting, method));
    rows.push_back(step_times_row(contest.setting));
  }
  const auto add = [&](const char* name, const char* claimed,
                       std::function<Finding(const Rows&)> decide) {
    paper.claims.push_back(
        {.name = name, .claimed = claimed, .experiments = rows, .decide = std::move(decide)});
  };
  add("pays-slow", "compression shortens training on networks of at most 1 Gbit/s",
      [scale](const Rows& all) {
        return of_both_models(all, scale, [](double rate) { return rate <= 1e9; });
      });
  add("pays-fast", "compression shortens training on networks of more than 10 Gbit/s",
      [scale](const Rows& all) {
        return of_both_models(all, scale, [](double rate) { return rate > 10e9; });
      });
  add("pays-anywhere",
      "compression shortens training in most networks of 10 Mbit/s … 100 Gbit/s with 2 … 64 "
      "workers",
      [scale](const Rows& all) { return of_each_model(all, scale); });
  paper.claims.back().draw_svg = [scale](const Rows& all) { return draw_winners(all, scale); };
  return paper;
}

}  // namespace terse::paper
