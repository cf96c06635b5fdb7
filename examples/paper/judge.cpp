#include "examples/paper/judge.hpp"

#include <fmt/format.h>

#include "examples/run/output.hpp"
#include "examples/run/progress.hpp"
#include "examples/run/text.hpp"

namespace terse::paper {
namespace {

void print_title(const Paper& paper) {
  for (const auto& line : run::wrapped(paper.number + ": " + paper.title, 80)) {
    run::print("{}\n", line);
  }
}

}  // namespace

void print_plan(const std::vector<Work>& works, const Measuring& measuring) {
  const auto is_stored = [&](const Experiment& one) { return measuring.is_stored(one); };
  for (const auto& work : works) {
    print_title(*work.paper);
    for (const auto* experiment : work.experiments) {
      run::print("  {:<56} {}\n", experiment->name,
                 is_stored(*experiment) ? "measured" : run::duration_text(experiment->seconds));
    }
  }
  run::print("What is left will take about {} on two cores.\n",
             run::duration_text(seconds_left(works, is_stored)));
}

std::vector<Judged> judge(const Work& work, const Rows& rows) {
  std::vector<Judged> all;
  print_title(*work.paper);
  for (const auto* claim : work.claims) {
    all.push_back(judge_claim(*work.paper, *claim, rows));
    run::print("{}", text_of(all.back()));
  }
  if (all.empty()) {
    run::print("No claim has all of its experiments measured yet.\n");
  } else {
    run::print("\n{}\n", summary(all));
  }
  return all;
}

}  // namespace terse::paper
