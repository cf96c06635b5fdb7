// Random subsets. All workers draw the same subset from the same stream.
#pragma once

#include <cstdint>

#include "tersegrad/core/buffer.hpp"
#include "tersegrad/core/random.hpp"

namespace terse::kernels {

// Draws k of the numbers 0 … n-1 without replacement and returns them in ascending order. Every
// subset is equally likely. Floyd's algorithm (Bentley and Floyd, "A sample of brilliance", CACM
// 1987): k draws, and a bit set of n bits.
Buffer<std::uint32_t> sample(std::int64_t n, std::int64_t k, const Philox& random);

}  // namespace terse::kernels
