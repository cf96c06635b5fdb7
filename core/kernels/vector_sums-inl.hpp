// Sums of terms that are computed one vector of elements at a time. For files that are compiled
// once for each level (core/simd/dispatch.hpp).
#if defined(TERSE_CORE_KERNELS_VECTOR_SUMS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_CORE_KERNELS_VECTOR_SUMS_INL
#undef TERSE_CORE_KERNELS_VECTOR_SUMS_INL
#else
#define TERSE_CORE_KERNELS_VECTOR_SUMS_INL
#endif

#include <cstdint>

#include "tersegrad/core/real.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {

template <int kSums>
struct Sums {
  double total[kSums] = {};
};

// Returns kSums sums over i < n. term(d, i, values) writes the terms of elements i, i + 1, … (as
// many as tag `d` has lanes) to the vectors values[0], …, values[kSums - 1]. The sums of whole
// vectors are accumulated in `real`, those of the last n mod (2 · lanes) elements in double.
template <int kSums, class Term>
Sums<kSums> sum_terms(std::int64_t n, Term term) {
  constexpr hn::ScalableTag<real> wide;
  constexpr hn::CappedTag<real, 1> one;
  constexpr int kInFlight = 2;  // independent sums hide the latency of an addition
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(wide));
  hn::Vec<decltype(wide)> sums[kInFlight][kSums], values[kSums];
  for (auto& some : sums) {
    for (auto& sum : some) sum = hn::Zero(wide);
  }
  std::int64_t i = 0;
  for (; i + kInFlight * lanes <= n; i += kInFlight * lanes) {
    for (int j = 0; j < kInFlight; ++j) {
      term(wide, i + j * lanes, values);
      for (int s = 0; s < kSums; ++s) sums[j][s] = hn::Add(sums[j][s], values[s]);
    }
  }
  Sums<kSums> result;
  for (int s = 0; s < kSums; ++s) {
    result.total[s] =
        static_cast<double>(hn::GetLane(hn::SumOfLanes(wide, hn::Add(sums[0][s], sums[1][s]))));
  }
  for (; i < n; ++i) {
    hn::Vec<decltype(one)> single[kSums];
    term(one, i, single);
    for (int s = 0; s < kSums; ++s) result.total[s] += static_cast<double>(hn::GetLane(single[s]));
  }
  return result;
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
