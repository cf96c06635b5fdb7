#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tersegrad/core/kernels/exponential.cpp"
#include <hwy/foreach_target.h>

#include "tersegrad/core/kernels/exponential.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tersegrad/core/kernels/vector_math-inl.hpp"
#include "tersegrad/core/simd/dispatch.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {
namespace {

// For d a multiple of the vector width. Sums are accumulated in float over at most kBlock elements,
// then in double.
template <bool kStore>
double exponentials_of_vectors(std::int64_t d, const float* x, float shift, float* y) {
  constexpr std::int64_t kBlock = 512;
  const FloatVector shifts = hn::Set(kLanes, shift);
  double total = 0;
  for (std::int64_t first = 0; first < d; first += kBlock) {
    FloatVector sum = hn::Zero(kLanes);
    for (std::int64_t j = first; j < std::min(d, first + kBlock); j += kWidth) {
      const FloatVector e = exp(hn::Sub(hn::LoadU(kLanes, x + j), shifts));
      if constexpr (kStore) hn::StoreU(e, kLanes, y + j);
      sum = hn::Add(sum, e);
    }
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(kLanes, sum)));
  }
  return total;
}

}  // namespace

double exponentials_at_level(std::int64_t d, const float* x, float shift, float* y) {
  const std::int64_t whole = d / kWidth * kWidth;
  double sum = y != nullptr ? exponentials_of_vectors<true>(whole, x, shift, y)
                            : exponentials_of_vectors<false>(whole, x, shift, nullptr);
  if (whole == d) return sum;
  std::array<float, kWidth> rest;  // the last elements, padded with e^-inf = 0
  std::ranges::fill(rest, -std::numeric_limits<float>::infinity());
  std::copy(x + whole, x + d, rest.begin());
  sum += exponentials_of_vectors<true>(kWidth, rest.data(), shift, rest.data());
  if (y != nullptr) std::copy_n(rest.begin(), d - whole, y + whole);
  return sum;
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse::kernels {

double reference::exponentials(std::int64_t d, const real* x, real shift, real* y) {
  double sum = 0;
  for (std::int64_t j = 0; j < d; ++j) {
    const real e = std::exp(x[j] - shift);
    if (y != nullptr) y[j] = e;
    sum += static_cast<double>(e);
  }
  return sum;
}

#ifdef TERSE_REAL_DOUBLE

double exponentials(std::int64_t d, const real* x, real shift, real* y) {
  return reference::exponentials(d, x, shift, y);
}

#else

HWY_EXPORT(exponentials_at_level);
double exponentials(std::int64_t d, const float* x, float shift, float* y) {
  return TERSE_DISPATCH(exponentials_at_level)(d, x, shift, y);
}

#endif

}  // namespace terse::kernels
#endif
