// Rules of an asynchronous server: how many pushes make an update (gathering), and how a stale
// gradient is changed (correction).
//
//   spec := [gathering] ['+'] [correction]        "softsync:n=4+staleness_aware"
//
//   vanilla               each push is applied when it arrives
//   softsync:n=           an update is the mean of floor(W/n) pushes; no worker waits for it
//   k_async:k=            an update is the mean of the pushes of k workers, which wait for it
//   backup:spare=         the same with k = W - spare; later pushes are dropped
//   staleness_aware:form= the rate is divided by the staleness, or by the staleness plus one
//   dynsgd                the same as staleness_aware:form=plus_one
//   dc_asgd:lambda=       delay compensation
//   dc_asgd_adaptive:lambda=
//
// Each rule except vanilla has a file of its own in server_rules/, with its formula and source.
// `hogwild` is a run without a server: hogwild.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tersegrad/core/archive.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse {

struct Gathering {
  int pushes = 1;      // number of pushes in an update
  bool waits = false;  // a worker that has pushed waits for the update before it pulls
  bool drops = false;  // a push that was computed before the last update is dropped
};

class Correction {
 public:
  virtual ~Correction() = default;
  // The factor of the learning rate for a push of this staleness.
  virtual float rate(std::uint64_t /*staleness*/) const { return 1; }
  // Whether `correct` uses `read`. The server then keeps the models that workers have pulled.
  virtual bool compares() const { return false; }
  // Changes the gradient into an estimate of the gradient at the present model `now`. It was
  // computed at the model `read`, which is empty unless compares().
  virtual void correct(std::span<float> /*gradient*/, std::span<const float> /*now*/,
                       std::span<const float> /*read*/) {}
  virtual void serialize(Archive&) {}
};

struct ServerRule {
  std::string spec;  // with every option written out
  Gathering gathering;
  std::unique_ptr<Correction> correction;  // null: gradients are not corrected
  bool hogwild = false;
};

// Throws UsageError for an unknown name, key or value, and for stages that cannot be combined.
ServerRule make_server_rule(std::string_view spec, int workers);

// Fills in one stage's part of the rule, and appends the stage with all its options to rule.spec.
using ServerRuleStage = void(Options& options, int workers, ServerRule& rule);

struct ServerRuleEntry {
  std::string_view name;
  bool gathers;  // a gathering; otherwise a correction
  std::string_view summary, example;
  ServerRuleStage* make;
};
std::span<const ServerRuleEntry> server_rule_registry();

}  // namespace terse
