// Sparse vectors as ascending coordinates with a value each: their sum, and their place in a
// tensor.
//
//   merge:  for each block of coordinates, small enough for the L1 cache:
//             for each vector, in order: sum_i += weight · x_i for its entries in the block
//             append the i that any of them has, and the sum_i
//   place:  for each piece of the tensor, small enough for the L2 cache: all 0, then the entries
//
// Cost: merge reads every entry once and looks at n / 32 words; place writes n floats.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace terse::kernels {

struct SparseTerm {
  std::span<const std::uint32_t> at;
  std::span<const float> values;
  float weight = 1;
};

// Appends the sum of the terms, whose coordinates lie below n.
void merge(std::span<const SparseTerm> terms, std::int64_t n, std::vector<std::uint32_t>& at,
           std::vector<float>& values);

// out = the entries whose coordinates lie in [first, first + out.size()), and 0 elsewhere.
void place(std::span<const std::uint32_t> at, std::span<const float> values, std::int64_t first,
           std::span<float> out);

}  // namespace terse::kernels
