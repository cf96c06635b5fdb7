// What an asynchronous server does with a push: which pushes meet in an update, and what is done
// to a gradient that comes late.
//
//   spec := [gathering] ['+'] [correction]        "softsync:n=4+staleness_aware"
//
//   vanilla               each push is applied as it arrives
//   softsync:n=           an update is the mean of floor(W/n) pushes; nobody waits for it
//   k_async:k=            an update is the mean of the pushes of k workers, who wait for it
//   backup:spare=         the same for k = W - spare; whoever comes later is dropped
//   staleness_aware       the rate is divided by the staleness
//   dc_asgd:lambda=       delay compensation
//   dc_asgd_adaptive:lambda=
//
// A gathering and a correction may go together. Each has a file of its own in server_rules/, with
// its formula and source. `hogwild` has no server: hogwild.cpp.
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
  int pushes = 1;      // in an update
  bool waits = false;  // who has pushed waits for the update, and then pulls
  bool drops = false;  // a push computed before the last update is thrown away
};

class Correction {
 public:
  virtual ~Correction() = default;
  // The factor of the rate for a push of this staleness.
  virtual float rate(std::uint64_t /*staleness*/) const { return 1; }
  // Whether `correct` reads the model that the gradient was computed at: the server then keeps it.
  virtual bool compares() const { return false; }
  // gradient = what it might be at `now`; it was computed at `read`, which is empty unless
  // compares().
  virtual void correct(std::span<float> /*gradient*/, std::span<const float> /*now*/,
                       std::span<const float> /*read*/) {}
  virtual void serialize(Archive&) {}
};

struct ServerRule {
  std::string spec;  // with every option
  Gathering gathering;
  std::unique_ptr<Correction> correction;  // none: the gradient as it is
  bool hogwild = false;
};

// UsageError for an unknown name, key or value, or for what does not go together.
ServerRule make_server_rule(std::string_view spec, int workers);

// A stage of a spec fills its part of the rule, and adds itself with all its options to the spec.
using ServerRuleStage = void(Options& options, int workers, ServerRule& rule);

struct ServerRuleEntry {
  std::string_view name;
  bool gathers;  // otherwise it corrects
  std::string_view summary, example;
  ServerRuleStage* make;
};
std::span<const ServerRuleEntry> server_rule_registry();

}  // namespace terse
