// Momentum before compression. `vote:beta=` and `ssdm:beta=` use this stage too.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tersegrad/optim/compressor.hpp"

namespace terse {

struct MomentumOptions {
  double beta = 0.9;
  std::string form = "ema";   // v = beta v + (1 - beta) g; "sum": v = beta v + g
  std::string init = "zero";  // v_0 = 0; "first": v_1 = g_1
  bool nesterov = false;
  bool mask = false;  // v = 0 wherever the reconstruction of the packet is not 0
  std::uint64_t warmup_steps = 0;
};

// `spec` is the spec string of the stage and all that it wraps.
std::unique_ptr<Compressor> make_momentum(const MomentumOptions& options,
                                          std::unique_ptr<Compressor> inner, std::string spec);

// The length C(beta) of Signum's warm-up, in steps, for beta < 1: the least C >= 1 with
//   C/2 beta^C <= 1 / ((1 - beta^2)(C + 1))  and  beta^(C+1) <= 1 / (C + 1)
// C(0.5) = 1, C(0.9) = 54.
std::uint64_t signum_warmup_steps(double beta);

}  // namespace terse
