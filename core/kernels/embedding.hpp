// Rows of a table by index: the forward pass of an embedding, and its adjoint.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

// x[i] = value.
void fill(std::span<real> x, real value);

// Row i of y (n, D) = row ids[i] of table (V, D). The caller has checked that ids are in [0, V).
void take_rows(std::int64_t d, std::span<const std::int32_t> ids, std::span<const real> table,
               std::span<real> y);
// Adds row i of dy (n, D) to row ids[i] of the table, in ascending order of i.
void add_rows(std::int64_t d, std::span<const std::int32_t> ids, std::span<const real> dy,
              std::span<real> table);

}  // namespace terse::kernels
