// Update rules: the mathematics of an optimizer on the model's flat buffer, with its state.
//
// The same rule serves a local optimizer, a replica of a synchronous cluster, and a server.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/archive.hpp"
#include "core/spec.hpp"

namespace terse {

// A gradient as rules read it: scale · values, cut to [-limit, limit]. So clipping copies nothing,
// and whoever computed the values finds them unchanged. NaN stays NaN.
struct ClippedGradient {
  std::span<const float> values;
  float scale = 1;
  float limit = std::numeric_limits<float>::infinity();

  float operator[](std::int64_t i) const {
    return std::min(std::max(scale * values[static_cast<std::size_t>(i)], -limit), limit);
  }
  // That of the elements [first, first + count).
  ClippedGradient part(std::int64_t first, std::int64_t count) const {
    const auto at = static_cast<std::size_t>(first), n = static_cast<std::size_t>(count);
    return {.values = values.subspan(at, n), .scale = scale, .limit = limit};
  }
};

// What a rule may know of a run beside values and gradients.
struct RuleSetup {
  std::vector<std::int64_t> tensors;  // their sizes in the flat buffer; empty: all is one tensor
  std::uint64_t seed = 0;             // of the rule's own draws
};

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  virtual std::string spec() const = 0;
  // Before the first step, or never: few rules ask for the tensors, or draw.
  virtual void prepare(const RuleSetup&) {}
  // values -= the step for this gradient. Both have the same length in every call; the gradient is
  // only read.
  void apply(std::span<float> values, std::span<const float> gradient, float lr);
  // The same for a clipped gradient: what a rule overrides.
  virtual void update(std::span<float> values, const ClippedGradient& gradient, float lr) = 0;
  virtual void serialize(Archive&) = 0;
};

// "sgd:momentum=0.9,nesterov", "adam:weight_decay=1e-4+clip:norm=0.25": a rule, and stages that
// change the gradient before it, the last one first. UsageError for an unknown name, key or value.
std::unique_ptr<UpdateRule> make_update_rule(std::string_view spec);

// Makes a rule of its options, or a stage around the rule that it is given.
using UpdateRuleFactory = std::unique_ptr<UpdateRule>(Options&, std::unique_ptr<UpdateRule> inner);

struct UpdateRuleEntry {
  std::string_view name;
  bool stage;  // stands after a rule and '+'
  std::string_view summary, example;
  UpdateRuleFactory* make;
};
std::span<const UpdateRuleEntry> update_rule_registry();

}  // namespace terse
