// The entries that a sparsifier has chosen of a bucket: coordinates, counted through all its
// tensors, and values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/optim/compressor.hpp"

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
  // Reads the values at these coordinates from the tensors of the bucket.
  void take_values(std::span<const GradView> bucket);
  // bucket = the entries, and 0 elsewhere
  void place_in(std::span<const GradView> bucket) const;
  // bucket -= the entries
  void subtract_from(std::span<const GradView> bucket) const;
};

// The mean gradient as the entries of a down packet, and 0 elsewhere. Read block by block.
class PlacedEntries final : public GradientSource {
 public:
  PlacedEntries() = default;
  PlacedEntries(std::span<const std::uint32_t> at, std::span<const float> values)
      : at_(at), values_(values) {}
  std::span<const float> read(std::int64_t first, std::span<float> scratch) const override;

 private:
  std::span<const std::uint32_t> at_;
  std::span<const float> values_;
};

// Throws PacketError unless the coordinates ascend and are less than n.
void expect_ascending(std::span<const std::uint32_t> coordinates, std::int64_t n);

}  // namespace terse
