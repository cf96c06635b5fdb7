#include "optim/optimizer.hpp"

#include <string>

#include "core/error.hpp"
#include "core/spec.hpp"
#include "optim/rules/sgd.hpp"

namespace terse {
namespace {

struct Factory {
  UpdateRuleEntry entry;
  std::unique_ptr<UpdateRule> (*make)(Options&);
};

constexpr Factory kRules[] = {
    {{"sgd", "stochastic gradient descent; momentum, nesterov, weight_decay, dampening",
      "sgd:momentum=0.9,weight_decay=1e-4"},
     make_sgd},
};

}  // namespace

std::span<const UpdateRuleEntry> update_rule_registry() {
  static const std::vector<UpdateRuleEntry> entries = [] {
    std::vector<UpdateRuleEntry> list;
    for (const auto& rule : kRules) list.push_back(rule.entry);
    return list;
  }();
  return entries;
}

std::unique_ptr<UpdateRule> make_update_rule(std::string_view spec) {
  const Stage stage = parse_stage("optimizer", spec);
  std::vector<std::string> known;
  for (const auto& [entry, make] : kRules) {
    known.emplace_back(entry.name);
    if (entry.name != stage.name) continue;
    Options options("optimizer", stage);
    auto rule = make(options);
    options.finish();
    return rule;
  }
  throw UsageError(unknown_name("optimizer", stage.name, known));
}

}  // namespace terse
