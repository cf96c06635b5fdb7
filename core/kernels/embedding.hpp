// Rows of a table by their numbers: the forward of an embedding, and its adjoint.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

void fill(std::span<real> x, real value);

// y (n, D): row i is row ids[i] of the table (V, D). Ids are in range.
void take_rows(std::int64_t d, std::span<const std::int32_t> ids, std::span<const real> table,
               std::span<real> y);
// Adds row i of dy (n, D) to row ids[i] of the table, in the order of i.
void add_rows(std::int64_t d, std::span<const std::int32_t> ids, std::span<const real> dy,
              std::span<real> table);

}  // namespace terse::kernels
