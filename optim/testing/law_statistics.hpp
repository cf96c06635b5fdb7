// Measurements over many draws of a compressor with one worker.
#pragma once

#include <cstdint>

#include "tersegrad/optim/testing/exchange.hpp"

namespace terse {

struct Measured {
  double mean = 0;
  double standard_error = 0;
};

// |C(x) - x|^2 / |x|^2 of new compressors, each with a seed of its own.
Measured measured_error(const MakeCompressor& make, const OwnedGradients& x);

// The largest |mean of C(x)_i - x_i| over the coordinates of a small x, in standard errors, over
// the steps of one compressor.
double largest_bias(const MakeCompressor& make, std::uint64_t seed);

}  // namespace terse
