// Does compression pay? The question that the four papers have in common, asked of the curves of R
// and L: with the step times of modelled networks, which method is first to a given score?
//
//   seconds to the score = steps to the score · seconds of a step (pays_experiments.hpp)
//   score                that of 16-bit sums at the end, less one point (perplexity: plus 2 %)
//   steps                from the evaluations, means over the seeds, linear in between; perplexity by
//                        its logarithm. The curve begins at the score of a model that guesses
//
// The curves are those of four workers. The global batch is fixed, and other workers are taken to
// need as many steps. Some curves have one seed, so that a lead of less than kLead is a tie.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/cell_map.hpp"
#include "examples/paper/claim.hpp"
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

// A model and its methods. The first is the one to beat; the second compresses nothing either.
struct Contest {
  Setting setting;
  std::vector<Method> methods;
};
constexpr std::size_t kUncompressed = 2;

std::vector<Contest> contests(Scale scale) {
  return {{resnet20(scale), {kHalf, kSgd, kRankTwo, kVote, kSign, kTopOnePercent}},
          {lstm(scale),
           {kTextHalf, kTextSgd, kTextRankOne, kTextRankFour, kTextVote, kTextSign,
            kTextTopOnePercent}}};
}

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

// The fastest method in a network, and how many times as fast as the method to beat it is.
struct Winner {
  std::int64_t workers;
  double bits_per_second;
  std::string name;
  double times;
  enum class Kind : std::uint8_t { compressor, tie, uncompressed } kind;
};

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

// "resnet20, steps to 91.3 of 1716: half 1300, …, top-k never"
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

// In how many of the settings a compressor is first, in how many nobody is, and in how many a method
// without compression is.
struct Share {
  int first = 0, ties = 0, lost = 0;
  int all() const { return first + ties + lost; }
  Share& operator+=(const Share& other) {
    first += other.first;
    ties += other.ties;
    lost += other.lost;
    return *this;
  }
};
template <class Bandwidths>
Share share_of(const std::vector<Winner>& winners, Bandwidths counted) {
  Share share;
  for (const auto& winner : winners) {
    if (!counted(winner.bits_per_second)) continue;
    share += {.first = winner.kind == Winner::Kind::compressor,
              .ties = winner.kind == Winner::Kind::tie,
              .lost = winner.kind == Winner::Kind::uncompressed};
  }
  return share;
}

Verdict verdict_of(const Share& share) {
  if (2 * share.first > share.all()) return Verdict::holds;
  return 2 * (share.first + share.ties) > share.all() ? Verdict::open : Verdict::fails;
}

std::string share_text(const Share& share) {
  return fmt::format("{} of {} settings ({} ties, {} lost)", share.first, share.all(), share.ties,
                     share.lost);
}

// ": vote 20, top-k 3": how often each compressor is first, those of most settings first.
std::string firsts_text(const std::vector<Winner>& winners) {
  std::map<std::string, int> count;
  for (const auto& winner : winners) {
    if (winner.kind == Winner::Kind::compressor) ++count[winner.name];
  }
  std::vector<std::pair<int, std::string>> sorted;
  for (const auto& [name, times] : count) sorted.emplace_back(-times, name);
  std::ranges::sort(sorted);
  std::string text;
  for (const auto& [times, name] : sorted) {
    text += fmt::format("{} {} {}", text.empty() ? ":" : ",", name, -times);
  }
  return text;
}

// Over both models, with the share of each.
template <class Bandwidths>
Finding of_both_models(const Rows& rows, Scale scale, Bandwidths counted) {
  Share both;
  std::string text;
  for (const auto& contest : contests(scale)) {
    const auto share = share_of(winners_of(rows, contest, scale), counted);
    both += share;
    text += fmt::format("; {}: {}", contest.setting.name, share_text(share));
  }
  return {.verdict = verdict_of(both),
          .measured = fmt::format("a compressor is first in {}{}", share_text(both), text)};
}

// The contest between methods of several seeds.
Contest without_single_seeds(const Rows& rows, Contest contest) {
  std::erase_if(contest.methods, [&](const Method& method) {
    return rows[row_of(contest.setting, method)].at("seeds").size() == 1;
  });
  return contest;
}

// "; 30 of 54 settings (24 ties, 0 lost) without the methods of one seed"; empty if no compressor is
// left.
std::string several_seeds_text(const Rows& rows, const Contest& contest, Scale scale) {
  const auto left = without_single_seeds(rows, contest);
  if (left.methods.size() <= kUncompressed || left.methods.size() == contest.methods.size()) {
    return "";
  }
  const auto share = share_of(winners_of(rows, left, scale), [](double) { return true; });
  return fmt::format("; {}: {} without the methods of one seed", contest.setting.name,
                     share_text(share));
}

Finding of_each_model(const Rows& rows, Scale scale) {
  std::vector<Finding> findings;
  for (const auto& contest : contests(scale)) {
    const auto& setting = contest.setting;
    const auto winners = winners_of(rows, contest, scale);
    const auto share = share_of(winners, [](double) { return true; });
    findings.push_back(
        {.verdict = verdict_of(share),
         .measured = fmt::format(
             "{}: a compressor is first in {}{}{}; {}; {}: forward and backward of {} samples take "
             "{:.2f} s on one thread",
             setting.name, share_text(share), firsts_text(winners),
             several_seeds_text(rows, contest, scale), steps_text(rows, contest), setting.name,
             global_batch(setting), rows[step_times_row(setting)].at("compute").get<double>())});
  }
  return all_of(findings);
}

std::string bandwidth_text(double bits_per_second) {
  return bits_per_second < 1e9 ? fmt::format("{:g} Mbit/s", bits_per_second / 1e6)
                               : fmt::format("{:g} Gbit/s", bits_per_second / 1e9);
}

constexpr const char* kTie = "tie";

CellMap::Cell cell_of(const Winner& winner) {
  if (winner.kind == Winner::Kind::tie) return {.text = kTie, .detail = winner.name};
  return {.text = winner.name, .detail = fmt::format("{:.3g}×", winner.times)};
}

std::string draw_winners(const Rows& rows, Scale scale) {
  std::vector<CellMap> maps;
  std::vector<std::string> grey = {kTie};
  for (const auto& contest : contests(scale)) {
    CellMap map{.title = contest.setting.config.model +
                         ": the fastest to the score of half, and the time of half / its time",
                .x_label = "bandwidth",
                .y_label = "workers",
                .x = {},
                .y = {},
                .cells = {}};
    for (const double rate : bandwidths(scale)) map.x.push_back(bandwidth_text(rate));
    for (std::size_t m = 0; m < kUncompressed; ++m) grey.push_back(contest.methods[m].name);
    for (const auto& winner : winners_of(rows, contest, scale)) {
      const auto label = fmt::format("{}", winner.workers);
      if (map.y.empty() || map.y.back() != label) {
        map.y.push_back(label);
        map.cells.emplace_back();
      }
      map.cells.back().push_back(cell_of(winner));
    }
    maps.push_back(std::move(map));
  }
  colour_by_text(maps, grey);
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
  Paper paper{
      .number = "pays",
      .title = "Does compression pay?",
      .symbols =
          "resnet20 and lstm are the models R and L of the table. half sends 16-bit floats, which "
          "are summed in 32 bits (fp16:reduce=wide), and is the method to beat; sgd sends 32 bits. "
          "powersgd-r is powersgd:rank=r+ef, vote is Signum with a majority vote (vote:beta=0.9), "
          "sign is sign+ef, and top-k is topk:ratio=0.01+ef. On lstm each worker clips its "
          "gradient before compression; with half the mean is clipped instead, and vote does not "
          "clip. A setting is a bandwidth and a number of workers. A compressor is first in it if "
          "the faster of half and sgd takes more than 20 % longer to the score than the fastest "
          "compressor; the setting is lost if the fastest compressor takes more than 20 % longer "
          "than the faster of these two; otherwise it is a tie. The score is that of half at the "
          "end, less one point (perplexity: plus 2 %).",
      .notes =
          "The time to the score is a number of steps times the seconds of a step. The steps are "
          "those of real training with four workers, each method with its own tuned rate, "
          "interpolated between evaluations: one an epoch on resnet20, four on lstm. Any number of "
          "workers that share the same batch is assumed to need as many steps. That is so for sums "
          "of gradients, but majority votes, the residuals of sign and top-k, local clipping, and "
          "the batch normalisation of resnet20 depend on how many samples a worker has. A step of "
          "W workers takes C/W + coding + network. C, forward and backward of the whole batch, and "
          "coding, the encoding and decoding of one worker, are measured with one thread of the "
          "CPU that the row names. The network is modelled: a worker has the bandwidth in each "
          "direction, and a message takes 20 µs more; half, sgd and PowerSGD are all-reduced, sign "
          "and top-k gathered from all workers, votes exchanged in slices. Only the part counts "
          "that backward does not hide, in five buckets; a method with local clipping needs all "
          "gradients first and hides nothing. Coding is measured with all workers in one process: "
          "from 16 workers on, their memory exceeds the caches, and coding takes up to four times "
          "as long as with two, which favours half and sgd. The update is left out.",
      .claims = {},
      .experiments = {}};
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
