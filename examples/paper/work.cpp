#include "examples/paper/work.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "examples/paper/training_experiments.hpp"
#include "tersegrad/core/error.hpp"

namespace terse::paper {
namespace {

// The claims of which no experiment `needs_data`: their names, "all" or "none".
std::string claims_without(const Work& work,
                           const std::function<bool(const Experiment*)>& needs_data) {
  std::vector<std::string> names;
  for (const auto* claim : work.claims) {
    if (std::ranges::none_of(experiments_of(*work.paper, *claim), needs_data)) {
      names.push_back(claim->name);
    }
  }
  if (names.empty()) return "none";
  if (names.size() == work.claims.size()) return "all";
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

void add_claim(Work& work, const Claim& claim) {
  work.claims.push_back(&claim);
  for (const auto* experiment : experiments_of(*work.paper, claim)) {
    const bool known = std::ranges::find(work.experiments, experiment) != work.experiments.end();
    if (!known) work.experiments.push_back(experiment);
  }
}

void check_data(const std::vector<Work>& works,
                const std::function<bool(const Experiment&)>& is_stored) {
  std::set<std::string> tried, missing;
  std::vector<std::string> errors;  // fewer than `missing`, if sets are parts of the same files
  for (const auto& work : works) {
    for (const auto* experiment : work.experiments) {
      const auto& data = experiment->data;
      if (data.empty() || is_stored(*experiment) || !tried.insert(data).second) continue;
      try {
        load(data);
      } catch (const Error& e) {
        missing.insert(data);
        const std::string error = e.what();
        if (std::ranges::find(errors, error) == errors.end()) errors.push_back(error);
      }
    }
  }
  if (missing.empty()) return;
  const auto needs_missing = [&](const Experiment* experiment) {
    return missing.contains(experiment->data) && !is_stored(*experiment);
  };
  std::string others;
  for (const auto& work : works) {
    if (!others.empty()) others += "; ";
    if (works.size() > 1) others += work.paper->number + ": ";
    others += claims_without(work, needs_missing);
  }
  const bool one = errors.size() == 1;
  throw Error(fmt::format("{}{}; claims that do without {} (--claim): {}",
                          one ? "" : fmt::format("{} data sets cannot be loaded: ", errors.size()),
                          fmt::join(errors, "; "), one ? "it" : "them", others));
}

}  // namespace terse::paper
