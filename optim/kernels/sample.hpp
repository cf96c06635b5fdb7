// Random subsets that all workers share.
#pragma once

#include <cstdint>
#include <vector>

#include "tersegrad/core/random.hpp"

namespace terse::kernels {

// k of the numbers 0 … n-1 without replacement, every subset equally likely, ascending.
// Floyd's algorithm (Bentley and Floyd, "A sample of brilliance", CACM 1987): k draws.
std::vector<std::uint32_t> sample(std::int64_t n, std::int64_t k, Philox random);

}  // namespace terse::kernels
