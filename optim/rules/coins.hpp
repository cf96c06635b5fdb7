// Update steps whose signs are drawn at random.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/rules/rule.hpp"

namespace terse::rule {

//   x_i = (1 - lr · w) · x_i - lr · s_i        w = decay.outside() where x_i decays, else 0
//   s_i = +1 with probability 1/2 + lean(i)/2, else -1;  s_i = 0 if lean(i) is NaN
//
// lean(i) is in [-1, 1]. The draw for parameter i is a function of (seed, step, i): the result does
// not depend on the number of threads, and all replicas draw the same signs.
template <class Lean>
void step_by_coins(std::span<float> values, const Decay& decay, float lr, std::uint64_t seed,
                   std::uint64_t step, const Lean& lean) {
  decay.weights.expect(std::ssize(values));
  parallel_for(std::ssize(values), kGrain, [&](std::int64_t begin, std::int64_t end) {
    Philox draws(seed, {.purpose = Purpose::update, .step = static_cast<std::uint32_t>(step)});
    draws.seek(static_cast<std::uint64_t>(begin));  // a multiple of kGrain, so of 4 as required
    float* x = values.data();
    decay.weights.for_each_part(begin, end, [&](std::int64_t i, std::int64_t last, float decays) {
      const float shrink = 1 - lr * (decays * decay.outside());
      for (; i < last; ++i) {
        const double drawn = (draws.next() + 0.5) * 0x1p-31 - 1;  // uniform in (-1, 1)
        const double by = lean(i);
        x[i] = shrink * x[i] - (drawn < by ? lr : drawn >= by ? -lr : 0);
      }
    });
  });
}

}  // namespace terse::rule
