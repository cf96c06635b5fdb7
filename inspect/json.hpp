// Serialisation of JSON, used for every JSON file and line that programs write.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace terse {

// Infinite and NaN numbers become null. In strings that are not UTF-8, e.g. file names, invalid
// bytes are replaced by U+FFFD. indent = -1 writes a single line.
inline std::string json_text(const nlohmann::json& json, int indent = -1) {
  return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace terse
