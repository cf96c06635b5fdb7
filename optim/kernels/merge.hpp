// Sums of sparse vectors and their expansion to dense ones. A sparse vector is a list of ascending
// coordinates with one value each.
//
//   merge:  for each block of coordinates that fits into the L1 cache:
//             for each vector, in order: sum_i += weight · x_i for its entries in the block
//             append each i that occurs in any vector, and sum_i
//   place:  for each piece of the tensor that fits into the L2 cache: fill with 0, write entries
//
// Cost: merge reads every entry once and scans n / 32 words; place writes n floats.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace terse::kernels {

struct SparseTerm {
  std::span<const std::uint32_t> at;  // coordinates, ascending
  std::span<const float> values;
  float weight = 1;
};

// Appends the sum of the terms to `at` and `values`, in ascending order of the coordinates, which
// must be less than n.
void merge(std::span<const SparseTerm> terms, std::int64_t n, std::vector<std::uint32_t>& at,
           std::vector<float>& values);

// out[i] = the value at coordinate first + i, or 0 if there is none. `at` must be ascending.
void place(std::span<const std::uint32_t> at, std::span<const float> values, std::int64_t first,
           std::span<float> out);

}  // namespace terse::kernels
