// The exponentials of a row of numbers and their sum: the inner loop of softmax.
#pragma once

#include <cstdint>

#include "tersegrad/core/real.hpp"

namespace terse::kernels {

// y[j] = exp(x[j] - shift) for j < d; y may be x, or null if only the sum is wanted. x <= shift.
// Returns the sum of all. `kernels::reference` is the definition, and the double build's.
double exponentials(std::int64_t d, const real* x, real shift, real* y);

namespace reference {
double exponentials(std::int64_t d, const real* x, real shift, real* y);
}

}  // namespace terse::kernels
