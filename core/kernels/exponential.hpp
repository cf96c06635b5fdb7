// Exponentials of a row and their sum: the inner loop of softmax.
#pragma once

#include <cstdint>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

// y[j] = exp(x[j] - shift) for j < d; returns the sum of all y[j]. y may be x, or null if only
// the sum is needed. Requires x[j] <= shift. `kernels::reference` is the definition; the
// double build uses it.
double exponentials(std::int64_t d, const real* x, real shift, real* y);

namespace reference {
double exponentials(std::int64_t d, const real* x, real shift, real* y);
}

}  // namespace terse::kernels
