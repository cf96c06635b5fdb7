// The singular value decomposition, and the eigenvectors of a symmetric matrix.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/optim/kernels/low_rank.hpp"

namespace terse::kernels {

// M = sum over c < min(n, m) of s_c u_c v_c^T with s descending. u holds the columns u_c (n values
// each) one after the other, v the columns v_c (m values each). All results are NaN if a value of M
// is not finite or LAPACK does not converge.
struct Svd {
  std::vector<float> u, s, v;
};
Svd svd(const MatrixView& matrix);

// The orthonormal eigenvectors of the `keep` largest eigenvalues of a symmetric n x n matrix, as
// columns of n values; empty if a value of the matrix is not finite. Computed by Jacobi rotations
// in double instead of LAPACK, because LAPACK selects its kernels by CPU: all workers must get the
// same bits. O(n^3) time per sweep, about eight sweeps.
std::vector<float> principal_axes(std::int64_t n, std::span<const float> matrix, std::int64_t keep);

}  // namespace terse::kernels
