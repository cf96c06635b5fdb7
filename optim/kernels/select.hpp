// Exact selection of the largest magnitudes; ties go to the lowest index.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "core/parallel.hpp"
#include "optim/kernels/vector.hpp"

namespace terse::codec {

// Integers in the order of |x|: the bits of the magnitude; |NaN| counts as infinity.
void magnitude_keys(std::span<const float> x, std::span<std::uint32_t> keys);

// Appends first + i, ascending, for each i among the k largest |x_i| or keys, 0 <= k <= their
// number.
void select_largest(std::span<const float> x, std::int64_t k, std::uint32_t first,
                    std::vector<std::uint32_t>& indices);
void select_largest(std::span<const std::uint32_t> keys, std::int64_t k, std::uint32_t first,
                    std::vector<std::uint32_t>& indices);

// Appends first + i, ascending, for each i in 0 … n-1 of which predicate(i) holds. A comparison of
// values at i is done for many at once.
template <class Predicate>
void select_if(std::int64_t n, std::uint32_t first, Predicate predicate,
               std::vector<std::uint32_t>& indices) {
  constexpr std::int64_t kBits = 32;
  const auto count = static_cast<std::size_t>((n + kGrain - 1) / kGrain);
  std::vector<std::vector<std::uint32_t>> pieces(count);
  parallel_for(n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    auto& found = pieces[static_cast<std::size_t>(begin / kGrain)];
    for (auto i = begin; i < end; i += kBits) {
      std::uint32_t holds = 0;
      if (i + kBits <= end) {
        for (std::uint32_t b = 0; b < kBits; ++b) holds |= std::uint32_t{predicate(i + b)} << b;
      } else {
        for (std::uint32_t b = 0; i + b < end; ++b) holds |= std::uint32_t{predicate(i + b)} << b;
      }
      for (; holds != 0; holds &= holds - 1) {
        const auto bit = static_cast<std::uint32_t>(std::countr_zero(holds));
        found.push_back(first + static_cast<std::uint32_t>(i) + bit);
      }
    }
  });
  for (const auto& found : pieces) indices.insert(indices.end(), found.begin(), found.end());
}

}  // namespace terse::codec
