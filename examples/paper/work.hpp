// The claims that a run of the program paper judges, and their experiments.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "examples/paper/claim.hpp"

namespace terse::paper {

// A paper, the claims of it that were asked for, and the experiments that they need, in their order.
struct Work {
  const Paper* paper;
  std::vector<const Claim*> claims;
  std::vector<const Experiment*> experiments;
};

// All claims of the papers with these names ("all": of every paper), each paper once, or the one
// `claim` of a single paper. UsageError if there is no such paper or claim.
std::vector<Work> work_of(const std::vector<Paper>& all, const std::vector<std::string>& names,
                          const std::optional<std::string>& claim);

using IsStored = std::function<bool(const Experiment&)>;

// Leaves out the claims with an experiment that cannot be used, and their experiments.
void keep_claims(std::vector<Work>& works, const std::function<bool(const Experiment&)>& usable);
// UsageError with its flags if the only claim of the work cannot be measured without them, and is
// not stored or is to be measured `again`.
void check_measurable(const Work& work, const IsStored& is_stored, bool again);

// The estimated time of the experiments that are not stored.
double seconds_left(const std::vector<Work>& works, const IsStored& is_stored);

// Loads the data sets of all experiments except stored ones. Throws Error with all data sets that
// cannot be loaded, and the claims that need none of them.
void check_data(const std::vector<Work>& works, const IsStored& is_stored);

}  // namespace terse::paper
