// JSON as text, for every file and line that programs write.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace terse {

// Numbers that are not finite become null. Strings that are not UTF-8, such as names of files,
// have U+FFFD in place of the bytes that are none. `indent` -1: one line.
inline std::string json_text(const nlohmann::json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace terse
