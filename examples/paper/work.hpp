// What a run of the program judges and measures.
#pragma once

#include <functional>
#include <vector>

#include "examples/paper/claim.hpp"

namespace terse::paper {

// A paper, the claims of it that were asked for, and the experiments that they need, in their order.
struct Work {
  const Paper* paper;
  std::vector<const Claim*> claims;
  std::vector<const Experiment*> experiments;
};

// Adds the claim, and its experiments that the work does not have yet.
void add_claim(Work& work, const Claim& claim);

// Loads the data sets of all experiments except stored ones. Throws Error with all data sets that
// cannot be loaded, and the claims that need none of them.
void check_data(const std::vector<Work>& works,
                const std::function<bool(const Experiment&)>& is_stored);

}  // namespace terse::paper
