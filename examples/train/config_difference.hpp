// The first value in which two configurations differ, for errors that name it.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace terse::run {

struct ConfigDifference {
  std::string key;  // of the innermost object
  nlohmann::json first, second;
};

// Leaves out the keys that `may_differ`. A missing value is null.
std::optional<ConfigDifference> difference_of(
    const nlohmann::json& a, const nlohmann::json& b,
    const std::function<bool(std::string_view key)>& may_differ = {});

}  // namespace terse::run
