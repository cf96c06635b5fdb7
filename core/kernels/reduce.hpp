// Sums along dimensions, and their adjoints. A tensor is treated as (outer, n, inner). sum_middle
// adds in double, broadcast_sum in `real`.
#pragma once

#include <cstdint>
#include <span>

#include "tersegrad/core/real.hpp"
#include "tersegrad/core/shape.hpp"

namespace terse::kernels {

// y (outer, inner) = sum over n of x (outer, n, inner). Overwrites y.
void sum_middle(std::int64_t outer, std::int64_t n, std::int64_t inner, std::span<const real> x,
                std::span<real> y);
// y (outer, n, inner) = x (outer, inner) repeated n times.
void repeat_middle(std::int64_t outer, std::int64_t n, std::int64_t inner, std::span<const real> x,
                   std::span<real> y);

// y (to) = x (from), repeated along every dimension that is missing in `from` or has size 1 there.
void broadcast(const Shape& from, const Shape& to, std::span<const real> x, std::span<real> y);
// The adjoint of broadcast: dx (from) = dy (to), summed along these dimensions. Overwrites dx.
void broadcast_sum(const Shape& from, const Shape& to, std::span<const real> dy,
                   std::span<real> dx);

}  // namespace terse::kernels
