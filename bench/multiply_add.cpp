#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/multiply_add.cpp"
#include <hwy/foreach_target.h>

#include "bench/multiply_add.hpp"

#include <benchmark/benchmark.h>

#include "tersegrad/core/simd/dispatch.hpp"
#include "tersegrad/core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {

double multiply_add_at_level() {
  constexpr std::int64_t kSteps = 200'000, kSums = 12;
  FloatVector sum[kSums], factor = hn::Set(kLanes, 1.0F);
#pragma GCC unroll 16
  for (auto& s : sum) {
    s = hn::Set(kLanes, 1.0F);
    benchmark::DoNotOptimize(s);  // hides from the compiler that all sums are equal
  }
  benchmark::DoNotOptimize(factor);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 16
    for (auto& s : sum) s = hn::MulAdd(s, factor, factor);
  }
#pragma GCC unroll 16
  for (auto& s : sum) benchmark::DoNotOptimize(s);
  return 2.0 * kSteps * kSums * kWidth;
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace terse {
namespace kernels {
HWY_EXPORT(multiply_add_at_level);
}

double multiply_add() {
  using namespace kernels;
  return TERSE_DISPATCH(multiply_add_at_level)();
}

}  // namespace terse
#endif
