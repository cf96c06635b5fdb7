// What a compressor of each family could keep of a gradient at best: the singular values of a matrix
// for low-rank methods, and the mass of its largest coordinates for sparse ones.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/optim/kernels/low_rank.hpp"

namespace terse {

// The `count` largest singular values of a matrix, descending. There are fewer if the matrix is
// smaller, and none if a value of it is not finite.
//
//   min(n, m) ≤ 64:  LAPACK's decomposition
//   otherwise:       Q = N(0, 1), m x (count + 8);  three times Q = orthonormalise(M^T M Q)
//                    the singular values of M Q
//
// The second way never gives too large a value. Those that are close to their successors are a
// little too small.
// Time: O(n m count). Source: Halko, Martinsson, Tropp, arXiv 0909.4061, algorithm 4.4.
std::vector<double> leading_singular_values(const kernels::MatrixView& matrix, std::int64_t count,
                                            std::uint64_t seed);

// For each fraction f: the share of |x|² in the f · n largest magnitudes. Magnitudes are counted in
// classes of 6 %; where a class is cut, its values count as equal. Zero if x is zero.
// Time: one pass.
std::vector<double> mass_of_largest(std::span<const float> x, std::span<const double> fractions);

}  // namespace terse
