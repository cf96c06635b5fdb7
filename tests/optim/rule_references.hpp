// Reference implementations of the update rules that PyTorch does not have, as plain loops in
// double.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace terse {

struct NaiveState {
  std::vector<double> x, m, v;       // of equal length; m and v are zero at the start
  std::vector<std::size_t> tensors;  // sizes of the tensors
  std::uint64_t seed = 0;
  int step = 0;  // 0, 1, …
};

struct RuleReference {
  std::string_view spec;
  double lr;
  std::function<void(NaiveState&, std::span<const double> gradient, double lr)> step;
};
std::span<const RuleReference> rule_references();

}  // namespace terse
