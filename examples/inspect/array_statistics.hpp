// Figures of an array of a safetensors file, of any type that the format has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tersegrad/core/safetensors.hpp"

namespace terse::run {

// A value of a float, a signed or an unsigned array.
using Value = std::variant<double, std::int64_t, std::uint64_t>;

struct ArrayStatistics {
  std::int64_t values = 0;
  std::int64_t infinite = 0, nan = 0;  // how many of the values
  std::optional<double> norm = {};     // 2-norm of the finite values; none for integers
  // The least and the largest finite value; none if there is no finite value.
  std::optional<Value> least = {}, most = {};
  std::uint64_t hash = 0;  // XXH3 of the bytes
};
// Reads the array twice. Allocates nothing.
ArrayStatistics statistics_of(const StoredArray& array);

struct ArrayDifference {
  std::int64_t values = 0;
  std::int64_t differing = 0;                // values whose bytes differ
  double largest = 0;                        // largest |a - b|; NaN if one of them is not a number
  std::optional<double> relative_norm = {};  // |a - b| / |a|; none for integers and for a = 0
};
// Of two arrays of the same type and shape.
ArrayDifference difference_of(const StoredArray& a, const StoredArray& b);

std::string shape_text(const std::vector<std::int64_t>& shape);  // "64x3x3x3"; "scalar"
// Up to three digits, fewer if they would take more than `width` characters. Integers, and
// magnitudes from 1000 to 10^6, have all their digits if these fit.
std::string short_text(const Value& value, std::size_t width);
nlohmann::json to_json(const Value& value);

}  // namespace terse::run
