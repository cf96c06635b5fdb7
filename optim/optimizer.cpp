// The registry of update rules and the parser that makes a rule from a spec string.
#include "tersegrad/optim/optimizer.hpp"

#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"

namespace terse {

// Each rule is defined in a file of rules/; adam.cpp defines two.
UpdateRuleFactory make_sgd, make_adam, make_adamw, make_rmsprop, make_adagrad, make_adadelta,
    make_rprop, make_yogi, make_msvag, make_lars, make_nsgd, make_signsgd, make_signum, make_ssd,
    make_ssd_bh, make_clipped_rule;

namespace {

constexpr bool kRule = false, kStage = true;

constexpr UpdateRuleEntry kRegistry[] = {
    {"sgd", kRule, "stochastic gradient descent; momentum, nesterov, weight_decay, dampening",
     "sgd:momentum=0.9,weight_decay=1e-4", make_sgd},
    {"adam", kRule, "steps of about lr, by the moments of the gradient", "adam:amsgrad", make_adam},
    {"adamw", kRule, "Adam with the weights' decay apart from the gradient",
     "adamw:weight_decay=0.01", make_adamw},
    {"rmsprop", kRule, "the gradient over its root mean square", "rmsprop:momentum=0.9,centered",
     make_rmsprop},
    {"adagrad", kRule, "the gradient over the root of the sum of its squares",
     "adagrad:lr_decay=0.01", make_adagrad},
    {"adadelta", kRule, "steps in the unit of the parameters; lr is 1", "adadelta:rho=0.9",
     make_adadelta},
    {"rprop", kRule, "the gradient's sign; each parameter has a step size of its own",
     "rprop:eta_minus=0.5,eta_plus=1.2", make_rprop},
    {"yogi", kRule, "Adam whose second moment forgets slowly", "yogi:eps=0.001", make_yogi},
    {"msvag", kRule, "momentum, shorter where the gradient is noisy", "msvag:beta=0.9", make_msvag},
    {"lars", kRule, "momentum with a rate for each tensor, by its length",
     "lars:trust=0.001,weight_decay=1e-4", make_lars},
    {"nsgd", kRule, "steps of length lr along the momentum", "nsgd:beta=0.9", make_nsgd},

    {"signsgd", kRule, "the gradient's sign", "signsgd:weight_decay=1e-4,decay=outside",
     make_signsgd},
    {"signum", kRule, "the momentum's sign; warmup begins with the gradient's", "signum:beta=0.9",
     make_signum},
    {"ssd", kRule, "signs drawn so that the mean step is along the momentum", "ssd:beta=0.9",
     make_ssd},
    {"ssd_bh", kRule, "signs drawn by the odds that the momentum's sign is right",
     "ssd_bh:beta=0.9", make_ssd_bh},

    {"clip", kStage, "the mean gradient clipped to a global norm, or by value",
     "sgd:momentum=0.9+clip:norm=0.25", make_clipped_rule},
};

const UpdateRuleEntry& find(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& entry : kRegistry) {
    if (entry.name == name) return entry;
    known.emplace_back(entry.name);
  }
  throw UsageError(unknown_name("optimizer", name, std::move(known)));
}

}  // namespace

void UpdateRule::apply(std::span<float> values, std::span<const float> gradient, float lr) {
  check(values.size() == gradient.size(),
        "optimizer: expected one gradient per value; got {} values and {} gradients", values.size(),
        gradient.size());
  const GradientInMemory source(gradient);
  update(values, {.source = &source, .count = std::ssize(gradient)}, lr);
}

void UpdateRule::freeze_variance() {
  throw Error(spec() + ": has no variance to freeze");
}

std::span<const UpdateRuleEntry> update_rule_registry() {
  return kRegistry;
}

std::unique_ptr<UpdateRule> make_update_rule(std::string_view spec) {
  std::unique_ptr<UpdateRule> made;
  for (const auto& stage : Spec::parse(spec).stages) {
    const auto& entry = find(stage.name);
    check<UsageError>(made != nullptr || !entry.stage,
                      "optimizer '{}': expected a rule before {}; write e.g. {}", spec, entry.name,
                      entry.example);
    check<UsageError>(made == nullptr || entry.stage,
                      "optimizer '{}': expected one rule, before the first '+'; got {} after '+'",
                      spec, entry.name);
    Options options("optimizer", stage);
    made = entry.make(options, std::move(made));
    options.finish();
  }
  return made;
}

}  // namespace terse
