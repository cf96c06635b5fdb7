// Statistics over many random draws of a compressor, with one worker.
#pragma once

#include <cstdint>

#include "tersegrad/optim/testing/exchange.hpp"

namespace terse {

struct Measured {
  double mean = 0;
  double standard_error = 0;
};

// |C(x) - x|^2 / |x|^2, averaged over 200 new compressors with different seeds.
Measured measured_error(const MakeCompressor& make, const OwnedGradients& x);

// max_i |mean of C(x)_i - x_i| in standard errors of that mean, for a small fixed x. The mean is
// over 20 000 steps of one compressor, or 1000 under a sanitizer.
double largest_bias(const MakeCompressor& make, std::uint64_t seed);

}  // namespace terse
