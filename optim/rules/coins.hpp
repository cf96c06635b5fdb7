// Steps whose signs are drawn.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/rules/rule.hpp"

namespace terse::rule {

// x_i = (1 - lr · decay) · x_i - lr · s_i, where decay.outside() holds, and s_i = +1 with
// probability 1/2 + lean(i)/2 and -1 otherwise; lean is in [-1, 1], and where it is NaN, s_i = 0.
// The draw of a parameter is a function of (seed, step, its place), so threads change nothing, and
// replicas draw alike.
template <class Lean>
void step_by_coins(std::span<float> values, const Decay& decay, float lr, std::uint64_t seed,
                   std::uint64_t step, const Lean& lean) {
  decay.weights.expect(std::ssize(values));
  parallel_for(std::ssize(values), kGrain, [&](std::int64_t begin, std::int64_t end) {
    Philox draws(seed, {.purpose = Purpose::update, .step = static_cast<std::uint32_t>(step)});
    draws.seek(static_cast<std::uint64_t>(begin));  // a multiple of the grain, and so of 4
    float* x = values.data();
    decay.weights.for_each_part(begin, end, [&](std::int64_t i, std::int64_t last, float on) {
      const float shrink = 1 - lr * (on * decay.outside());
      for (; i < last; ++i) {
        const double drawn = (draws.next() + 0.5) * 0x1p-31 - 1;  // uniform in (-1, 1)
        const double by = lean(i);
        x[i] = shrink * x[i] - (drawn < by ? lr : drawn >= by ? -lr : 0);
      }
    });
  });
}

}  // namespace terse::rule
