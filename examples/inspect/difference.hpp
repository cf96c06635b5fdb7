// inspect --diff: the arrays in which two files differ.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "examples/inspect/array_file.hpp"
#include "examples/inspect/array_statistics.hpp"

namespace terse::run {

struct FileDifference {
  struct Array {
    std::string name;
    const StoredArray *first, *second;  // in the files
    bool same_form;                     // type and shape are equal, so there are figures
    ArrayDifference figures;
  };
  const ArrayFile *first, *second;
  std::vector<std::string> only_in_first = {}, only_in_second = {};
  std::vector<Array> differing = {};
  std::size_t equal = 0;     // arrays
  std::size_t left_out = 0;  // arrays of measured seconds, of either file

  bool none() const { return only_in_first.empty() && only_in_second.empty() && differing.empty(); }
};

// Whether a scope of the name is "time", or "time#2" and so on: the array holds measured seconds,
// which no two runs share.
bool is_measured_time(std::string_view name);

// Compares the arrays bit for bit, and no metadata. `times`: also arrays of measured seconds. The
// result refers to the files.
FileDifference compare(const ArrayFile& first, const ArrayFile& second, bool times);

std::string to_text(const FileDifference& difference);
nlohmann::json to_json(const FileDifference& difference);

}  // namespace terse::run
