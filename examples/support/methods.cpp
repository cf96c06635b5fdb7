#include "examples/support/methods.hpp"

#include <span>

#include "core/spec.hpp"

namespace terse::run {
namespace {

struct Row {
  std::string_view first_stage;
  Recommendation recommendation;
};

// A vote moves every parameter by the rate. What sends a hundredth of the gradient, or one
// magnitude a tensor, hands the rest on by error feedback: there momentum counts an entry that
// comes late and large ten times over, and no momentum with a larger rate serves better.
constexpr Row kRows[] = {
    {"none", {"sgd:momentum=0.9", 0.05}},
    {"powersgd", {"sgd:momentum=0.9", 0.05}},
    {"topk", {"sgd", 0.4}},
    {"randomk", {"sgd", 0.2}},
    {"randomblock", {"sgd", 0.05}},
    {"threshold", {"sgd", 0.4}},
    {"dgc", {"sgd", 0.1}},     // its momentum is inside
    {"wangni", {"sgd", 0.2}},  // unbiased, and the noisier the smaller the rate
    {"atomo", {"sgd", 0.2}},
    {"unbiased_rank", {"sgd", 0.02}},
    {"sign", {"sgd", 0.3}},
    {"vote", {"sgd", 0.002}},
};

// Language models: gradients now and then explode, so their norm is held; plain steps.
constexpr Row kTextRows[] = {
    {"none", {"sgd+clip:norm=0.25", 20}},
    {"vote", {"sgd", 0.001}},
};

}  // namespace

Recommendation recommended(std::string_view compressor_spec, bool text) {
  const Spec spec = Spec::parse(compressor_spec);
  const std::span<const Row> rows = text ? std::span<const Row>(kTextRows) : kRows;
  for (const auto& row : rows) {
    if (row.first_stage == spec.stages.front().name) return row.recommendation;
  }
  return rows.front().recommendation;
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
