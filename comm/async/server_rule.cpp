// The table of all server rules, and the parser of their specs.
#include "tersegrad/comm/async/server_rule.hpp"

#include <vector>

#include "tersegrad/core/error.hpp"

namespace terse {

// Each has a file in server_rules/, except vanilla.
ServerRuleStage make_vanilla, make_softsync, make_k_async, make_backup, make_staleness_aware,
    make_dynsgd, make_dc_asgd, make_dc_asgd_adaptive;

void make_vanilla(Options&, int, ServerRule& rule) {
  rule.spec += "vanilla";
}

namespace {

void make_hogwild(Options&, int, ServerRule& rule) {
  rule.hogwild = true;
  rule.spec += "hogwild";
}

constexpr bool kGathers = true, kCorrects = false;

constexpr ServerRuleEntry kServerRules[] = {
    {"vanilla", kGathers, "each push is applied as it arrives", "vanilla", make_vanilla},
    {"softsync", kGathers, "the mean of W/n pushes; nobody waits", "softsync:n=2", make_softsync},
    {"k_async", kGathers, "the mean of k workers, who wait for it", "k_async:k=2", make_k_async},
    {"backup", kGathers, "the mean of the first W - spare; the rest is dropped", "backup:spare=1",
     make_backup},
    {"hogwild", kGathers, "no server: all write to one model", "hogwild", make_hogwild},
    {"staleness_aware", kCorrects, "the rate over the staleness", "staleness_aware",
     make_staleness_aware},
    {"dynsgd", kCorrects, "the rate over the staleness plus one", "dynsgd", make_dynsgd},
    {"dc_asgd", kCorrects, "delay compensation by the squared gradient", "dc_asgd:lambda=0.04",
     make_dc_asgd},
    {"dc_asgd_adaptive", kCorrects, "the same in units of the gradient's root mean square",
     "dc_asgd_adaptive:lambda=2", make_dc_asgd_adaptive},
};

const ServerRuleEntry& find_server_rule(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& entry : kServerRules) {
    if (entry.name == name) return entry;
    known.emplace_back(entry.name);
  }
  throw UsageError(unknown_name("server rule", name, std::move(known)));
}

}  // namespace

std::span<const ServerRuleEntry> server_rule_registry() {
  return kServerRules;
}

ServerRule make_server_rule(std::string_view spec, int workers) {
  ServerRule rule;
  int gatherings = 0, corrections = 0;
  for (const auto& stage : Spec::parse(spec).stages) {
    const auto& entry = find_server_rule(stage.name);
    ++(entry.gathers ? gatherings : corrections);
    check<UsageError>(
        gatherings <= 1 && corrections <= 1 && (!entry.gathers || corrections == 0),
        "server rule '{}': expected at most one gathering, then at most one correction, such as "
        "softsync:n=2+staleness_aware; got a misplaced or repeated {}",
        spec, stage.name);
    check<UsageError>(!rule.hogwild,
                      "server rule '{}': expected no correction after hogwild, which has no server",
                      spec);
    if (!rule.spec.empty()) rule.spec += '+';
    Options options("server rule", stage);
    entry.make(options, workers, rule);
    options.finish();
  }
  return rule;
}

}  // namespace terse
