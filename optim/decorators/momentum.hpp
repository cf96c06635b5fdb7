// Momentum before compression; `vote:beta=` is this stage too.
#pragma once

#include <memory>
#include <string>

#include "optim/compressor.hpp"

namespace terse {

struct MomentumOptions {
  double beta = 0.9;
  std::string init = "ema";  // v_0 = 0; "first": v_1 = g_1
};

// `spec` is what the stage and all it wraps are written as.
std::unique_ptr<Compressor> make_momentum(const MomentumOptions& options,
                                          std::unique_ptr<Compressor> inner, std::string spec);

}  // namespace terse
