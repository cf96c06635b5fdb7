#include "examples/support/methods.hpp"

#include "core/spec.hpp"

namespace terse::run {
namespace {

struct Row {
  std::string_view first_stage;
  Recommendation recommendation;
};

// Signs have no length: their rate is the distance that every parameter moves in a step.
constexpr Row kRows[] = {
    {"none", {"sgd:momentum=0.9", 0.05}},  {"powersgd", {"sgd:momentum=0.9", 0.05}},
    {"topk", {"sgd:momentum=0.9", 0.05}},  {"randomk", {"sgd:momentum=0.9", 0.05}},
    {"sign", {"sgd:momentum=0.9", 0.01}},  {"vote", {"sgd", 0.001}},
};

}  // namespace

Recommendation recommended(std::string_view compressor_spec) {
  const Spec spec = Spec::parse(compressor_spec);
  for (const auto& row : kRows) {
    if (row.first_stage == spec.stages.front().name) return row.recommendation;
  }
  return {"sgd:momentum=0.9", 0.05};
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

}  // namespace terse::run
