// The random streams of a compressor. Every tensor has a stream of its own in every step.
#pragma once

#include "tersegrad/optim/compressor.hpp"
#include "tersegrad/optim/kernels/draws.hpp"

namespace terse {

// A stream of this worker alone.
inline Philox worker_stream(const Round& round, std::uint32_t tensor) {
  return Philox(round.seed, {.purpose = Purpose::compress,
                             .worker = round.worker,
                             .step = static_cast<std::uint32_t>(round.step),
                             .tensor = tensor});
}

// A stream that all workers have in common: `step` is the one whose numbers are drawn.
inline Philox shared_stream(const Round& round, std::uint32_t tensor, std::uint64_t step) {
  return Philox(
      round.seed,
      {.purpose = Purpose::compress, .step = static_cast<std::uint32_t>(step), .tensor = tensor});
}
inline Philox shared_stream(const Round& round, std::uint32_t tensor) {
  return shared_stream(round, tensor, round.step);
}

// The draws with which this worker rounds the values of a tensor.
inline kernels::Draws rounding_draws(const Round& round, const GradView& view) {
  return kernels::Draws(worker_stream(round, view.id));
}

}  // namespace terse
