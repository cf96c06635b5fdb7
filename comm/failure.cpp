#include "comm/failure.hpp"

#include <array>
#include <utility>
#include <vector>

#include "core/spec.hpp"

namespace terse {
namespace {

constexpr std::array<std::pair<std::string_view, OnFailure>, 2> kPolicies = {
    {{"abort", OnFailure::abort}, {"continue", OnFailure::go_on}}};

}  // namespace

std::string_view to_string(OnFailure policy) {
  for (const auto& [name, value] : kPolicies) {
    if (value == policy) return name;
  }
  return "unknown";
}

OnFailure parse_on_failure(std::string_view name) {
  std::vector<std::string> known;
  for (const auto& [each, value] : kPolicies) {
    if (each == name) return value;
    known.emplace_back(each);
  }
  throw UsageError(unknown_name("failure policy", name, std::move(known)));
}

}  // namespace terse
