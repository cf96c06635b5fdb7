// Does compression pay? The question that the four papers have in common, asked of the curves of R
// and L: with the step times of modelled networks, which method is first to a given score?
// (pays_contests.hpp)
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "examples/paper/cell_map.hpp"
#include "examples/paper/claim.hpp"
#include "examples/paper/comparisons.hpp"
#include "examples/paper/pays_contests.hpp"
#include "examples/paper/pays_experiments.hpp"
#include "examples/paper/statistics.hpp"

namespace terse::paper {
namespace {

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
          "are summed in 32 bits (fp16:reduce=wide), and is the method to beat; sgd sends 32 "
          "bits. powersgd-r is powersgd:rank=r+ef, vote is Signum with a majority vote "
          "(vote:beta=0.9), sign is sign+ef, and top-k is topk:ratio=0.01+ef. On lstm each worker "
          "clips its gradient before compression; with half the mean is clipped instead, and vote "
          "does not clip. A setting is a bandwidth and a number of workers. A compressor is first "
          "in it if the faster of half and sgd takes more than 20 % longer to the score than the "
          "fastest compressor; the setting is lost if the fastest compressor takes more than 20 % "
          "longer than the faster of these two; otherwise it is a tie. The score is that of half "
          "at the end, less one point (perplexity: plus 2 %).",
      .notes =
          "The time to the score is a number of steps times the seconds of a step. The steps are "
          "those of real training with four workers, each method with its own tuned rate, "
          "interpolated between evaluations: one an epoch on resnet20, four on lstm. Any number "
          "of workers that share the same batch is assumed to need as many steps. That is so for "
          "sums of gradients, but majority votes, the residuals of sign and top-k, local "
          "clipping, and the batch normalisation of resnet20 depend on how many samples a worker "
          "has. A step of W workers takes C/W + coding + network. C, forward and backward of the "
          "whole batch, and coding, the encoding and decoding of one worker, are measured with "
          "one thread of the CPU that the row names. The network is modelled: a worker has the "
          "bandwidth in each direction, and a message takes 20 µs more; half, sgd and PowerSGD "
          "are all-reduced, sign and top-k gathered from all workers, votes exchanged in slices. "
          "Only the part counts that backward does not hide, in five buckets; a method with local "
          "clipping needs all gradients first and hides nothing. Coding is measured with all "
          "workers in one process: from 16 workers on, their memory exceeds the caches, and "
          "coding takes up to four times as long as with two, which favours half and sgd. The "
          "update is left out.",
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
