// Update rules: the arithmetic and the state of an optimizer, applied to the model's flat parameter
// buffer. Local training, replicas of synchronous training and parameter servers share them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/spec.hpp"
#include "tersegrad/optim/gradient_source.hpp"

namespace terse {

// A block of gradient values as a rule reads them: element i is scale · values[i], clamped to
// [-limit, limit]. The defaults change nothing. The stage `clip` sets scale and limit, so clipping
// copies nothing and does not modify the gradient. NaN stays NaN.
struct GradientBlock {
  const float* values;
  float scale = 1, limit = std::numeric_limits<float>::infinity();

  float operator[](std::int64_t i) const {
    return std::min(std::max(scale * values[i], -limit), limit);
  }
};

// A gradient that a rule reads block by block: the `count` values of `source` that begin at
// `first`, with the scaling and clamping of GradientBlock.
struct GradientReader {
  const GradientSource* source;
  std::int64_t first = 0, count = 0;
  float scale = 1, limit = std::numeric_limits<float>::infinity();

  // The elements [begin, begin + scratch.size()). The result points to the source's own memory or
  // to `scratch`, which the source may write to.
  GradientBlock read(std::int64_t begin, std::span<float> scratch) const {
    return {source->read(first + begin, scratch).data(), scale, limit};
  }
  // The gradient of the elements [begin, begin + n).
  GradientReader part(std::int64_t begin, std::int64_t n) const {
    return {source, first + begin, n, scale, limit};
  }
};

// What a rule is given before the first step, besides values and gradients.
struct RuleSetup {
  std::vector<std::int64_t> tensors;  // sizes in the flat buffer, in order; empty: one tensor
  std::vector<bool> matrices = {};    // for each tensor: it has two dimensions or more
  std::uint64_t seed = 0;             // seed of the rule's random draws
};

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  // The spec string with every option written out.
  virtual std::string spec() const = 0;
  // Passes tensor sizes and the seed to the rule. Call it before the first step, if at all: only
  // rules that work tensor by tensor or draw random numbers need it.
  virtual void prepare(const RuleSetup&) {}
  // values -= step(gradient, lr), in place. `values` and `gradient` have equal length, the same in
  // every call; the gradient is not modified. Throws Error if the lengths differ.
  void apply(std::span<float> values, std::span<const float> gradient, float lr);
  // Like `apply`, but the gradient is read block by block; most rules read each value once. Rules
  // implement this function.
  virtual void update(std::span<float> values, const GradientReader& gradient, float lr) = 0;
  // The factors of the moving averages, if this is Adam, whose variance can be frozen: for methods
  // that compress its momentum (Compressor::attach).
  struct Moments {
    double beta1, beta2;
  };
  virtual std::optional<Moments> moments() const { return std::nullopt; }
  // From the next update on, the variance and its bias correction keep their values. Further calls
  // have no effect. Throws Error if the rule has no `moments`, or before the first update.
  virtual void freeze_variance();
  // Saves, loads or hashes the state.
  virtual void serialize(Archive&) = 0;
};

// Parses a spec such as "sgd:momentum=0.9,nesterov" or "adam:weight_decay=1e-4+clip:norm=0.25": a
// rule, followed by stages that transform the gradient before the rule reads it. With several
// stages, the last one is applied first. Throws UsageError for an unknown name, key or value.
std::unique_ptr<UpdateRule> make_update_rule(std::string_view spec);

// Makes a rule from its options, or a stage that wraps `inner`.
using UpdateRuleFactory = std::unique_ptr<UpdateRule>(Options&, std::unique_ptr<UpdateRule> inner);

struct UpdateRuleEntry {
  std::string_view name;
  bool stage;  // written after a rule and '+'
  std::string_view summary, example;
  UpdateRuleFactory* make;
};
// All rules and stages.
std::span<const UpdateRuleEntry> update_rule_registry();

}  // namespace terse
