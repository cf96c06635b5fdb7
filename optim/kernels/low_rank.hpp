// Products of a matrix M (n x m, row-major) with thin factors. A factor with r columns is stored
// column by column: P is r columns of n values, Q is r columns of m values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tersegrad/core/random.hpp"

namespace terse::kernels {

struct MatrixView {
  std::int64_t n = 0, m = 0;
  std::span<const float> data;
};

// P and Q of as many columns, or of none.
struct Factors {
  std::span<const float> p = {}, q = {};
};

void times_q(const MatrixView& matrix, std::int64_t r, std::span<const float> q,
             std::span<float> p);  // P = M Q
// M = keep (M - P' Q'^T) + G and P = M Q, row by row. `owed` is P' and Q', or nothing; to the bit
// as if subtract_outer_product had come before.
void feed_and_times_q(std::span<const float> g, float keep, const Factors& owed,
                      std::span<float> matrix, std::int64_t n, std::int64_t m, std::int64_t r,
                      std::span<const float> q, std::span<float> p);
void transposed_times_p(const MatrixView& matrix, std::int64_t r, std::span<const float> p,
                        std::span<float> q);  // Q = M^T P
void outer_product(std::int64_t n, std::int64_t m, std::int64_t r, std::span<const float> p,
                   std::span<const float> q, std::span<float> out);  // out = P Q^T
// Values [first, first + out.size()) of P Q^T as it lies in memory, to the bit what outer_product
// gives; in this thread.
void outer_product_piece(std::int64_t n, std::int64_t m, const Factors& factors, std::int64_t first,
                         std::span<float> out);
void add_outer_product(std::int64_t n, std::int64_t m, std::int64_t r, std::span<const float> p,
                       std::span<const float> q, float scale,
                       std::span<float> out);  // out += scale P Q^T
// out -= P Q^T, to the bit what outer_product gives.
void subtract_outer_product(std::int64_t n, std::int64_t m, const Factors& factors,
                            std::span<float> out);

// Makes the r columns of P (n values each) orthonormal, in place. A column that is zero, not finite
// or, to rounding, a combination of those before it becomes zero; their numbers are returned.
std::vector<std::int64_t> orthonormalise(std::int64_t n, std::int64_t r, std::span<float> p);

// r columns of `length` values, each from N(0, 1).
void fill_normal(Philox random, std::span<float> columns);

}  // namespace terse::kernels
