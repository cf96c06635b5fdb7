// Helpers for tests of methods on test problems.
#pragma once

#include <cmath>
#include <functional>
#include <numeric>

#include "tersegrad/core/random.hpp"
#include "tersegrad/optim/problems/methods.hpp"

namespace terse::problems {

inline Vector normal(std::size_t n, std::uint32_t step) {
  Philox draws(2, {.purpose = Purpose::test, .step = step});
  Vector values(n);
  for (auto& value : values) value = static_cast<double>(draws.normal());
  return values;
}

inline double norm(In a) {
  return std::sqrt(std::inner_product(a.begin(), a.end(), a.begin(), 0.0));
}

inline Vector run(Step step, Vector x, std::uint64_t steps,
                  const std::function<void(std::uint64_t, const Vector&)>& watch = {}) {
  for (std::uint64_t k = 0; k < steps; ++k) {
    if (watch) watch(k, x);
    step(k, x);
  }
  return x;
}

// The distribution function of the normal distribution N(0, 1).
inline double phi(double a) {
  return std::erfc(-a / std::sqrt(2.0)) / 2;
}

}  // namespace terse::problems
