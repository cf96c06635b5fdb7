// Products of a matrix M (n x m, row-major) with thin factors. A factor with r columns is stored
// column by column: P is r columns of n values, Q is r columns of m values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/core/random.hpp"

namespace terse::kernels {

// An n x m matrix, row-major.
struct MatrixView {
  std::int64_t n = 0, m = 0;
  std::span<const float> data;
};

// P and Q with equal numbers of columns. Both may be empty (rank 0).
struct Factors {
  std::span<const float> p = {}, q = {};
};

void times_q(const MatrixView& matrix, std::int64_t r, std::span<const float> q,
             std::span<float> p);  // P = M Q
// M = keep (M - P' Q'^T) + G;  P = M Q, in one pass over the rows of M. `pending` holds P' and Q',
// a pending subtraction, and may be empty. The result is bit-identical to that of
// subtract_outer_product followed by this function with an empty `pending`.
void accumulate_and_times_q(std::span<const float> g, float keep, const Factors& pending,
                            std::span<float> matrix, std::int64_t n, std::int64_t m, std::int64_t r,
                            std::span<const float> q, std::span<float> p);
void transposed_times_p(const MatrixView& matrix, std::int64_t r, std::span<const float> p,
                        std::span<float> q);  // Q = M^T P
void outer_product(std::int64_t n, std::int64_t m, std::int64_t r, std::span<const float> p,
                   std::span<const float> q, std::span<float> out);  // out = P Q^T
// Writes the values [first, first + out.size()) of P Q^T in row-major order to `out`. Bit-identical
// to outer_product. Runs in the calling thread only.
void outer_product_piece(std::int64_t n, std::int64_t m, const Factors& factors, std::int64_t first,
                         std::span<float> out);
void add_outer_product(std::int64_t n, std::int64_t m, std::int64_t r, std::span<const float> p,
                       std::span<const float> q, float scale,
                       std::span<float> out);  // out += scale P Q^T
// out -= P Q^T; the product is bit-identical to that of outer_product.
void subtract_outer_product(std::int64_t n, std::int64_t m, const Factors& factors,
                            std::span<float> out);

// Makes the r columns of P (n values each) orthonormal, in place, by modified Gram-Schmidt with two
// passes per column, in O(n r^2) time. A column that is zero, not finite, or (to rounding) linearly
// dependent on the columns before it is set to zero. Returns the indices of these columns.
std::vector<std::int64_t> orthonormalise(std::int64_t n, std::int64_t r, std::span<float> p);

// Fills `columns` with draws from N(0, 1).
void fill_normal(Philox random, std::span<float> columns);

}  // namespace terse::kernels
