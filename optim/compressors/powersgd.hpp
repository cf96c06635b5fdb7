// What PowerSGD and its alternating form share.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "optim/compressor.hpp"

namespace terse {

struct PowerSgdOptions {
  std::int64_t rank = 2;
  bool warm = true;
  int iterations = 1;
  double min_rate = 0;
};

// One factor sent in a step, the other in the next: `powersgd:alternate`.
std::unique_ptr<Compressor> make_alternating_powersgd(std::uint16_t number,
                                                      const PowerSgdOptions& options);

namespace powersgd {

// Whether a matrix is factored, if that takes so many floats a step.
bool compressed(const GradView& view, double floats, double min_rate);
// Columns from N(0, 1), the same on all workers.
void draw(const Round& round, std::uint64_t step, const GradView& view, std::span<float> columns);
// Draws columns of `length` values anew, for the next step, that are zero or not finite: a zero one
// would stay so for ever.
void redraw_lost_columns(const Round& round, const GradView& view, std::int64_t length,
                         std::span<float> columns);

}  // namespace powersgd
}  // namespace terse
