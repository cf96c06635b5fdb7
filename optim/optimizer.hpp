// Update rules: the mathematics of an optimizer on the model's flat buffer, with its state.
//
// The same rule serves a local optimizer, a replica of a synchronous cluster, and a server.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/archive.hpp"

namespace terse {

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  virtual std::string spec() const = 0;
  // values -= the step for this gradient. Both have the same length in every call; the gradient is
  // only read. Element i of the result depends on elements i alone.
  virtual void apply(std::span<float> values, std::span<const float> gradient, float lr) = 0;
  virtual void serialize(Archive&) = 0;
};

// "sgd:momentum=0.9,nesterov,weight_decay=1e-4". UsageError for an unknown rule, key or value.
std::unique_ptr<UpdateRule> make_update_rule(std::string_view spec);

struct UpdateRuleEntry {
  std::string_view name, summary, example;
};
std::span<const UpdateRuleEntry> update_rule_registry();

}  // namespace terse
