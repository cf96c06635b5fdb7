// Exact selection of the largest magnitudes; ties go to the lowest index.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace terse::codec {

// Integers in the order of |x|: the bits of the magnitude; |NaN| counts as infinity.
void magnitude_keys(std::span<const float> x, std::span<std::uint32_t> keys);

// Appends first + i, ascending, for each i among the k largest keys, 0 <= k <= keys.size().
void select_largest(std::span<const std::uint32_t> keys, std::int64_t k, std::uint32_t first,
                    std::vector<std::uint32_t>& indices);

}  // namespace terse::codec
