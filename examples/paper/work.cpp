#include "examples/paper/work.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

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

// "1905.12938, 1802.04434, …, or all"
std::string paper_names(const std::vector<Paper>& all) {
  std::string names;
  for (const auto& paper : all) names += paper.number + ", ";
  return names + "or all";
}

std::vector<const Paper*> chosen_papers(const std::vector<Paper>& all,
                                        const std::vector<std::string>& names) {
  check<UsageError>(!names.empty(), "expected a paper: {}", paper_names(all));
  std::vector<const Paper*> chosen;
  const auto add_once = [&chosen](const Paper& paper) {
    if (std::ranges::find(chosen, &paper) == chosen.end()) chosen.push_back(&paper);
  };
  for (const auto& name : names) {
    for (const auto& paper : all) {
      if (name == "all") add_once(paper);
    }
    if (name != "all") add_once(find_paper(all, name));
  }
  return chosen;
}

// Adds the claim, and its experiments that the work does not have yet.
void add_claim(Work& work, const Claim& claim) {
  work.claims.push_back(&claim);
  for (const auto* experiment : experiments_of(*work.paper, claim)) {
    const bool known = std::ranges::find(work.experiments, experiment) != work.experiments.end();
    if (!known) work.experiments.push_back(experiment);
  }
}

}  // namespace

std::vector<Work> work_of(const std::vector<Paper>& all, const std::vector<std::string>& names,
                          const std::optional<std::string>& claim) {
  std::vector<Work> works;
  const auto chosen = chosen_papers(all, names);
  check<UsageError>(!claim || chosen.size() == 1,
                    "--claim: expected one paper, to which the claim belongs; got {}",
                    chosen.size());
  for (const Paper* paper : chosen) {
    Work work{.paper = paper, .claims = {}, .experiments = {}};
    if (claim) {
      add_claim(work, find_claim(*paper, *claim));
    } else {
      for (const auto& one : paper->claims) add_claim(work, one);
    }
    works.push_back(std::move(work));
  }
  return works;
}

void keep_claims(std::vector<Work>& works, const std::function<bool(const Experiment&)>& usable) {
  for (auto& work : works) {
    Work kept{.paper = work.paper, .claims = {}, .experiments = {}};
    for (const auto* claim : work.claims) {
      const auto all = experiments_of(*work.paper, *claim);
      const bool used =
          std::ranges::all_of(all, [&](const Experiment* one) { return usable(*one); });
      if (used) add_claim(kept, *claim);
    }
    work = std::move(kept);
  }
}

void check_measurable(const Work& work, const IsStored& is_stored, bool again) {
  const auto& claim = *work.claims.front();
  for (const auto* experiment : work.experiments) {
    check<UsageError>(experiment->measurable || (is_stored(*experiment) && !again),
                      "{}: claim '{}' can only be measured with {}", work.paper->number, claim.name,
                      claim.flags);
  }
}

double seconds_left(const std::vector<Work>& works, const IsStored& is_stored) {
  double seconds = 0;
  std::set<std::string> counted;  // papers share experiments
  for (const auto& work : works) {
    for (const auto* experiment : work.experiments) {
      if (!counted.insert(experiment->name).second) continue;
      if (!is_stored(*experiment)) seconds += experiment->seconds;
    }
  }
  return seconds;
}

void check_data(const std::vector<Work>& works, const IsStored& is_stored) {
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
