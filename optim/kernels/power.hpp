// Powers that decide how much is sent.
#pragma once

#include <cmath>

namespace terse::kernels {

// base^exponent. libm computes a double's power with and without fused multiply-add, which differ
// in the last bit; a long double's has one version, and more bits than are kept.
inline double power(double base, double exponent) {
  return static_cast<double>(
      std::pow(static_cast<long double>(base), static_cast<long double>(exponent)));
}

}  // namespace terse::kernels
