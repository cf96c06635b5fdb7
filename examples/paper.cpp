// Measures the claims of the papers that this project implements, and gives a verdict for each.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/page.hpp"
#include "examples/paper/row_store.hpp"
#include "examples/paper/work.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/text.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/inspect/json.hpp"

namespace {

using namespace terse;
using namespace terse::paper;

struct Flags {
  std::vector<std::string> papers;
  std::optional<std::string> claim;
  std::string folder = "docs/papers";
  std::string mnist;
  bool quick = false, plan = false, again = false, stored = false, json = false;
};

// "1905.12938, 1802.04434, …, or all"
std::string paper_names(const std::vector<Paper>& all) {
  std::string names;
  for (const auto& paper : all) names += paper.number + ", ";
  return names + "or all";
}

std::vector<const Paper*> chosen_papers(const std::vector<Paper>& all, const Flags& flags) {
  check<UsageError>(!flags.papers.empty(), "expected a paper: {}", paper_names(all));
  std::vector<const Paper*> chosen;
  for (const auto& name : flags.papers) {
    for (const auto& paper : all) {
      if (name == "all") chosen.push_back(&paper);
    }
    if (name != "all") chosen.push_back(&find_paper(all, name));
  }
  return chosen;
}

std::vector<Work> plan(const std::vector<Paper>& all, const Flags& flags) {
  std::vector<Work> works;
  const auto chosen = chosen_papers(all, flags);
  check<UsageError>(!flags.claim || chosen.size() == 1,
                    "--claim: expected one paper, to which the claim belongs; got {}",
                    chosen.size());
  const bool has_mnist =
      std::ranges::any_of(chosen, [](const Paper* paper) { return paper->number == "1905.12938"; });
  check<UsageError>(flags.mnist.empty() || has_mnist,
                    "--mnist: only 1905.12938 has a claim about MNIST; got {}",
                    fmt::join(flags.papers, ", "));
  for (const Paper* paper : chosen) {
    Work work{.paper = paper, .claims = {}, .experiments = {}};
    if (flags.claim) {
      add_claim(work, find_claim(*paper, *flags.claim));
    } else {
      for (const auto& claim : paper->claims) add_claim(work, claim);
    }
    works.push_back(std::move(work));
  }
  return works;
}

// The row of an experiment: a stored one, or a new one, which is stored unless it is a quick one.
class Measuring {
 public:
  Measuring(const Flags& flags) : flags_(flags), store_(flags.folder + "/data") {}

  // Throws Error if the rows of a run could not be stored, before it measures for hours.
  void check_store() const {
    if (!flags_.quick) store_.create_folder();
  }

  bool is_stored(const Experiment& experiment) const {
    return !flags_.quick && !flags_.again && store_.find(experiment);
  }
  Row row(const Experiment& experiment, const Rows& rows) const {
    if (flags_.quick) return {.result = experiment.measure(rows)};
    if (!flags_.again) {
      if (auto stored = store_.find(experiment)) return *std::move(stored);
    }
    return store_.measure(experiment, rows);
  }

 private:
  const Flags& flags_;
  RowStore store_;
};

// Leaves out the claims with an experiment that has not been measured, and their experiments.
void keep_stored(std::vector<Work>& works, const Measuring& measuring) {
  for (auto& work : works) {
    Work kept{.paper = work.paper, .claims = {}, .experiments = {}};
    for (const auto* claim : work.claims) {
      const auto all = experiments_of(*work.paper, *claim);
      const bool stored = std::ranges::all_of(
          all, [&](const Experiment* one) { return measuring.is_stored(*one); });
      if (stored) add_claim(kept, *claim);
    }
    work = std::move(kept);
  }
}

double seconds_left(const std::vector<Work>& works, const Measuring& measuring) {
  double seconds = 0;
  std::set<std::string> counted;  // papers share experiments
  for (const auto& work : works) {
    for (const auto* experiment : work.experiments) {
      if (!counted.insert(experiment->name).second) continue;
      if (!measuring.is_stored(*experiment)) seconds += experiment->seconds;
    }
  }
  return seconds;
}

void print_title(const Paper& paper) {
  for (const auto& line : run::wrapped(paper.number + ": " + paper.title, 80)) {
    run::print("{}\n", line);
  }
}

void print_plan(const std::vector<Work>& works, const Measuring& measuring) {
  for (const auto& work : works) {
    print_title(*work.paper);
    for (const auto* experiment : work.experiments) {
      run::print(
          "  {:<56} {}\n", experiment->name,
          measuring.is_stored(*experiment) ? "measured" : run::duration_text(experiment->seconds));
    }
  }
  run::print("What is left will take about {} on two cores.\n",
             run::duration_text(seconds_left(works, measuring)));
}

void check_flags(const Flags& flags) {
  check<UsageError>(!flags.folder.empty(), "--folder: expected a folder; got ''");
  check<UsageError>(!flags.stored || !(flags.quick || flags.again),
                    "--stored measures nothing; leave out --quick and --again");
  check<UsageError>(!flags.plan || !(flags.quick || flags.stored || flags.json),
                    "--plan lists what a whole run measures, and gives no verdicts; leave out "
                    "--quick, --stored and --json");
  check(!flags.stored || std::filesystem::is_directory(flags.folder + "/data"),
        "--stored: no folder '{}/data', so no experiment is stored there", flags.folder);
}

void judge(int argc, char** argv) {
  Flags flags;
  run::CommandLine command_line(
      "paper", "Measures the claims of the papers behind tersegrad and prints a verdict for each.",
      "paper 1905.12938 --claim plateau --again");
  command_line.positional("PAPER", flags.papers, paper_names(all_papers(Scale::quick)));
  command_line.flag("--claim", flags.claim, "one claim of the paper, by its name on the page")
      .flag("--quick", flags.quick, "a small part of each experiment; nothing is written")
      .flag("--plan", flags.plan, "print the experiments and their time, and end")
      .flag("--again", flags.again, "measure experiments again that have been measured")
      .flag("--stored", flags.stored, "only claims whose experiments have been measured")
      .flag("--folder", flags.folder, "where the pages are, and their rows in data/")
      .flag("--mnist", flags.mnist, "folder of MNIST's files: a claim more of 1905.12938")
      .flag("--json", flags.json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  run::listen_for_interruption();
  check_flags(flags);
  const auto papers = all_papers(flags.quick ? Scale::quick : Scale::whole, flags.mnist);
  auto works = plan(papers, flags);
  const Measuring measuring(flags);
  if (flags.stored) keep_stored(works, measuring);
  if (flags.plan) return print_plan(works, measuring);
  if (const double seconds = seconds_left(works, measuring); seconds > 60 && !flags.quick) {
    run::note("about {} on two cores\n", run::duration_text(seconds));
  }

  check_data(works, [&](const Experiment& one) { return measuring.is_stored(one); });
  if (seconds_left(works, measuring) > 0) measuring.check_store();

  std::vector<Judged> all;
  Rows rows;  // papers share experiments
  for (const auto& work : works) {
    for (const auto* experiment : work.experiments) {
      if (rows.has(experiment->name)) continue;
      run::throw_if_interrupted();
      if (!measuring.is_stored(*experiment)) run::note("{} …\n", experiment->name);
      rows.add_row(experiment->name, measuring.row(*experiment, rows));
    }
    std::vector<Judged> judged;
    print_title(*work.paper);
    for (const auto* claim : work.claims) {
      judged.push_back({.paper = work.paper, .claim = claim, .finding = claim->decide(rows)});
      run::print("{}", text_of(judged.back()));
      // A quick run draws the picture as well, to show that it can be drawn.
      if (flags.quick && claim->draw) run::to_svg(claim->draw(rows));
    }
    if (judged.empty()) {
      run::print("No claim has all of its experiments in {}/data yet.\n", flags.folder);
      continue;
    }
    run::print("\n{}\n", summary(judged));
    if (!flags.quick && !flags.claim) {
      write_page(*work.paper, judged, rows, flags.folder);
      run::print("Page: {}/{}.md\n", flags.folder, work.paper->number);
    }
    all.insert(all.end(), judged.begin(), judged.end());
  }
  if (flags.quick) {
    run::print("These are small parts of the experiments; the pages have the verdicts.\n");
  }
  if (flags.json) run::print("{}\n", json_text(paper::to_json(all)));
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("paper", [&] { judge(argc, argv); });
}
