// A power function with the same result on all CPUs, for quantities that determine what is sent.
#pragma once

#include <cmath>

namespace terse::kernels {

// base^exponent. libm has versions of pow for double with and without fused multiply-add, whose
// results differ in the last bit. Its pow for long double has one version, and more precision than
// the result keeps.
inline double power(double base, double exponent) {
  return static_cast<double>(
      std::pow(static_cast<long double>(base), static_cast<long double>(exponent)));
}

}  // namespace terse::kernels
