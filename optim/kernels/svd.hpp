// The singular value decomposition, and the eigenvectors of a symmetric matrix.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/optim/kernels/low_rank.hpp"

namespace terse::kernels {

// M = sum over c < min(n, m) of s_c u_c v_c^T, s descending: u is columns of n values, v of m. All
// are NaN if a value of M is not finite.
struct Svd {
  std::vector<float> u, s, v;
};
Svd svd(const MatrixView& matrix);

// The `keep` eigenvectors of a symmetric n x n matrix with the largest eigenvalues, as columns of n
// values, orthonormal; none if a value is not finite. The same bits wherever this code runs: a
// library chooses its kernels by the machine.
std::vector<float> principal_axes(std::int64_t n, std::span<const float> matrix, std::int64_t keep);

}  // namespace terse::kernels
