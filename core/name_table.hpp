// Tables that map names to values: each is used both for parsing and for printing.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tersegrad/core/error.hpp"
#include "tersegrad/core/spec.hpp"

namespace terse {

template <class Value, std::size_t N>
using NameTable = std::array<std::pair<std::string_view, Value>, N>;

template <class Value, std::size_t N>
// The name of `value`; "unknown" if the table does not hold it.
std::string_view name_in(const NameTable<Value, N>& table, Value value) {
  for (const auto& [name, each] : table) {
    if (each == value) return name;
  }
  return "unknown";
}

// The value called `name`. Throws UsageError if there is none; the message ("`what` 'name' is not
// known") lists the known names.
template <class Value, std::size_t N>
Value value_in(const NameTable<Value, N>& table, std::string_view what, std::string_view name) {
  std::vector<std::string> known;
  for (const auto& [each, value] : table) {
    if (each == name) return value;
    known.emplace_back(each);
  }
  throw UsageError(unknown_name(what, name, std::move(known)));
}

}  // namespace terse
