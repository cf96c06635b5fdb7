// Measures the claims of the papers that this project implements, and gives a verdict for each.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "examples/paper/judge.hpp"
#include "examples/paper/measuring.hpp"
#include "examples/run/command_line.hpp"
#include "examples/run/interruption.hpp"
#include "examples/run/output.hpp"
#include "examples/run/program.hpp"
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

void check_flags(const Flags& flags) {
  check<UsageError>(!flags.folder.empty(), "--folder: expected a folder; got ''");
  check<UsageError>(!flags.stored || !(flags.quick || flags.again),
                    "--stored measures nothing; leave out --quick and --again");
  check<UsageError>(!flags.plan || !(flags.quick || flags.stored || flags.json),
                    "--plan lists what a whole run measures, and gives no verdicts; leave out "
                    "--quick, --stored and --json");
  check(!flags.stored || std::filesystem::is_directory(flags.folder + "/data"),
        "--stored: no folder '{}/data', so no experiment is stored there", flags.folder);
  const auto named = [&](const char* name) {
    return std::ranges::find(flags.papers, name) != flags.papers.end();
  };
  check<UsageError>(flags.mnist.empty() || named("1905.12938") || named("all"),
                    "--mnist: only 1905.12938 has a claim about MNIST; got {}",
                    fmt::join(flags.papers, ", "));
}

void run_papers(int argc, char** argv) {
  Flags flags;
  run::CommandLine command_line(
      "paper", "Measures the claims of the papers behind tersegrad; a verdict for each.",
      "paper 1905.12938 --claim plateau --again");
  command_line.positional("PAPER", flags.papers, "arXiv numbers such as 1905.12938, pays, or all");
  command_line.flag("--claim", flags.claim, "one claim of the paper, by its name on the page")
      .flag("--quick", flags.quick, "a small part of each experiment; nothing is written")
      .flag("--plan", flags.plan, "print the experiments and their time, and end")
      .flag("--again", flags.again, "measure experiments again that have been measured")
      .flag("--stored", flags.stored, "only claims whose experiments have been measured")
      .flag("--folder", flags.folder, "where the pages are, and their rows in data/")
      .flag("--mnist", flags.mnist, "folder of MNIST's files, for a claim of 1905.12938")
      .flag("--json", flags.json, "print one JSON object as the last line");
  command_line.parse(argc, argv);
  run::listen_for_interruption();
  check_flags(flags);
  const auto papers = all_papers(flags.quick ? Scale::quick : Scale::whole, flags.mnist);
  auto works = work_of(papers, flags.papers, flags.claim);
  Measuring measuring(flags.folder, {.quick = flags.quick, .again = flags.again});
  const auto is_stored = [&](const Experiment& one) { return measuring.is_stored(one); };
  if (flags.claim && !flags.stored) check_measurable(works.front(), is_stored, flags.again);
  keep_claims(works, [&](const Experiment& one) {
    return is_stored(one) || (one.measurable && !flags.stored);
  });
  if (flags.plan) return print_plan(works, measuring);
  measuring.begin(works, !flags.claim);
  std::vector<Judged> all;
  Rows rows;  // papers share experiments
  for (const auto& work : works) {
    measure(work, measuring, rows);
    const auto judged = judge(work, rows);
    if (flags.quick) {
      check_pictures(judged, rows);
    } else if (!flags.claim && !judged.empty()) {
      write_page(*work.paper, judged, rows, flags.folder);
      run::print("Page: {}/{}.md\n", flags.folder, work.paper->number);
    }
    all.insert(all.end(), judged.begin(), judged.end());
  }
  if (flags.quick) run::print("Small parts of the experiments; the pages have the verdicts.\n");
  if (flags.json) run::print("{}\n", json_text(paper::to_json(all)));
}

}  // namespace

int main(int argc, char** argv) {
  return terse::run::run_program("paper", [&] { run_papers(argc, argv); });
}
