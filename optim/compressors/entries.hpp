// What a sparsifier has chosen of a bucket: coordinates, counted through all its tensors, and
// values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "optim/compressor.hpp"

namespace terse {

// Coordinates, ascending, each with a value.
struct Entries {
  std::vector<std::uint32_t> at;
  std::vector<float> values;

  void clear() {
    at.clear();
    values.clear();
  }
  void add(std::uint32_t coordinate, float value) {
    at.push_back(coordinate);
    values.push_back(value);
  }
  // The values at these coordinates, from the tensors of the bucket.
  void take_values(std::span<const GradView> bucket);
  // The bucket = the entries, and 0 elsewhere.
  void place_in(std::span<const GradView> bucket) const;
  // The bucket -= the entries.
  void subtract_from(std::span<const GradView> bucket) const;
};

}  // namespace terse
