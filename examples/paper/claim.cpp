#include "examples/paper/claim.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "examples/run/interruption.hpp"
#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse::paper {
namespace {

// The element of `all` with this name; UsageError with the names of all, if there is none.
template <class All, class Name>
const auto& find(const All& all, Name name, std::string_view wanted, std::string_view kind,
                 std::vector<std::string> also_known = {}) {
  const auto found = std::ranges::find(all, wanted, name);
  if (found != all.end()) return *found;
  for (const auto& one : all) also_known.push_back(std::invoke(name, one));
  throw UsageError(unknown_name(kind, wanted, std::move(also_known)));
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds:
      return "holds";
    case Verdict::fails:
      return "does not hold here";
    case Verdict::open:
      return "cannot be told at this scale";
  }
  return "";
}

const Row& Rows::row(const std::string& name) const {
  const auto found = rows_.find(name);
  check<InternalError>(found != rows_.end(), "no row of experiment '{}'", name);
  return found->second;
}

nlohmann::json measured(const Experiment& experiment, const Rows& rows, const nlohmann::json& begun,
                        const std::function<void(const nlohmann::json& so_far)>& keep) {
  auto result = experiment.measure(rows);
  if (!experiment.measure_seed) return result;
  auto others = begun;  // without its seeds
  if (others.is_object()) others.erase("seeds");
  result["seeds"] = others == result ? begun.at("seeds") : nlohmann::json::array();
  for (auto seed = std::ssize(result["seeds"]) + 1; seed <= experiment.seeds; ++seed) {
    run::throw_if_interrupted();
    result["seeds"].push_back(experiment.measure_seed(rows, static_cast<std::uint64_t>(seed)));
    if (keep) keep(result);
  }
  return result;
}

std::vector<Paper> all_papers(Scale scale, const std::string& mnist) {
  return {stochastic_sign_descent(scale, mnist), signsgd(scale), powersgd(scale), staleness(scale),
          compression_pays(scale)};
}

const Paper& find_paper(const std::vector<Paper>& papers, std::string_view number) {
  return find(papers, &Paper::number, number, "paper", {"all"});
}
const Claim& find_claim(const Paper& paper, std::string_view name) {
  return find(paper.claims, &Claim::name, name, paper.number + ": claim");
}
const Experiment& find_experiment(const Paper& paper, std::string_view name) {
  const auto found = std::ranges::find(paper.experiments, name, &Experiment::name);
  check<InternalError>(found != paper.experiments.end(), "{}: no experiment '{}'", paper.number,
                       name);
  return *found;
}

namespace {

void add_with_needs(std::vector<const Experiment*>& all, const Paper& paper,
                    const std::string& name) {
  const auto* experiment = &find_experiment(paper, name);
  if (std::ranges::find(all, experiment) != all.end()) return;
  for (const auto& needed : experiment->needs) add_with_needs(all, paper, needed);
  all.push_back(experiment);
}

}  // namespace

std::vector<const Experiment*> experiments_of(const Paper& paper, const Claim& claim) {
  std::vector<const Experiment*> all;
  for (const auto& name : claim.experiments) add_with_needs(all, paper, name);
  return all;
}

}  // namespace terse::paper
