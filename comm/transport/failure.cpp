#include "tersegrad/comm/transport/failure.hpp"

#include <array>
#include <utility>
#include <vector>

#include "tersegrad/core/name_table.hpp"

namespace terse {
namespace {

constexpr NameTable<OnFailure, 2> kPolicies = {
    {{"abort", OnFailure::abort}, {"continue", OnFailure::go_on}}};

}  // namespace

std::string_view to_string(OnFailure policy) {
  return name_in(kPolicies, policy);
}

OnFailure parse_on_failure(std::string_view name) {
  return value_in(kPolicies, "failure policy", name);
}

}  // namespace terse
