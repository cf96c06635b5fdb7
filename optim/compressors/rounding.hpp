// What a worker rounds a tensor with: draws of its own in every step.
#pragma once

#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/kernels/draws.hpp"

namespace terse {

inline kernels::Draws rounding_draws(const Round& round, const GradView& view) {
  return kernels::Draws(Philox(round.seed, {.purpose = Purpose::compress,
                                            .worker = round.worker,
                                            .step = static_cast<std::uint32_t>(round.step),
                                            .tensor = view.id}));
}

}  // namespace terse
