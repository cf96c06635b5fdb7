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

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/optim/gradient_source.hpp"

namespace terse {

// Values of a gradient as rules read them: scale · value, cut to [-limit, limit]. So clipping
// copies nothing, and whoever computed the values finds them unchanged. NaN stays NaN.
struct ClippedValues {
  const float* values;
  float scale = 1, limit = std::numeric_limits<float>::infinity();

  float operator[](std::int64_t i) const {
    return std::min(std::max(scale * values[i], -limit), limit);
  }
};

// The gradient that has them: `count` values of the source, from `first` on.
struct ClippedGradient {
  const GradientSource* source;
  std::int64_t first = 0, count = 0;
  float scale = 1, limit = std::numeric_limits<float>::infinity();

  // Of the elements [begin, begin + room.size()); they may be written to `room`.
  ClippedValues read(std::int64_t begin, std::span<float> room) const {
    return {source->read(first + begin, room).data(), scale, limit};
  }
  // That of the elements [begin, begin + n).
  ClippedGradient part(std::int64_t begin, std::int64_t n) const {
    return {source, first + begin, n, scale, limit};
  }
};

// What a rule may know of a run beside values and gradients.
struct RuleSetup {
  std::vector<std::int64_t> tensors;  // their sizes in the flat buffer; empty: all is one tensor
  std::vector<bool> matrices = {};    // which of them have two dimensions or more
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
  // The same for one that is read in pieces, most rules' once each. What a rule overrides.
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
