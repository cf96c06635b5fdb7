// A table of the arrays of a file.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "examples/inspect/array_file.hpp"
#include "examples/inspect/array_statistics.hpp"

namespace terse::run {

struct ArrayTable {
  ArrayFile file;
  std::map<std::string, ArrayStatistics> statistics;  // by name
};
ArrayTable table_of(ArrayFile file);

// The metadata, and the arrays by worker, which the part of a name before the first slash names,
// and by scope.
std::string to_text(const ArrayTable& table);
nlohmann::json to_json(const ArrayTable& table);

}  // namespace terse::run
