// Judges the claims of a piece of work, and prints the verdicts.
#pragma once

#include <vector>

#include "examples/paper/claim.hpp"
#include "examples/paper/measuring.hpp"
#include "examples/paper/page.hpp"
#include "examples/paper/work.hpp"

namespace terse::paper {

// Prints the experiments with the time of those that are left.
void print_plan(const std::vector<Work>& works, const Measuring& measuring);

// Prints the paper's title, a verdict for each claim and a summary.
std::vector<Judged> judge(const Work& work, const Rows& rows);

}  // namespace terse::paper
