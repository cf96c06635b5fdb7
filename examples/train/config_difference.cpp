#include "examples/train/config_difference.hpp"

#include <vector>

namespace terse::run {

std::optional<ConfigDifference> difference_of(
    const nlohmann::json& a, const nlohmann::json& b,
    const std::function<bool(std::string_view key)>& may_differ) {
  std::vector<std::string> keys = {"topology"};  // first, because others depend on it
  for (const auto* json : {&a, &b}) {
    for (const auto& [key, ignored] : json->items()) keys.push_back(key);
  }
  for (const auto& key : keys) {
    if (may_differ && may_differ(key)) continue;
    const auto of_a = a.value(key, nlohmann::json()), of_b = b.value(key, nlohmann::json());
    if (of_a.is_object() && of_b.is_object()) {
      if (auto inner = difference_of(of_a, of_b, may_differ)) return inner;
    } else if (of_a != of_b) {
      return ConfigDifference{key, of_a, of_b};
    }
  }
  return std::nullopt;
}

}  // namespace terse::run
