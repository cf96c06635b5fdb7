// Vectors of floats as wide as the level has them. For files that are compiled once a level
// (core/simd/dispatch.hpp).
#if defined(TERSE_CORE_SIMD_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_CORE_SIMD_LANES_INL
#undef TERSE_CORE_SIMD_LANES_INL
#else
#define TERSE_CORE_SIMD_LANES_INL
#endif

#include <hwy/highway.h>

#include <cstdint>

namespace terse::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Lanes = hn::ScalableTag<float>;
using FloatVector = hn::Vec<Lanes>;
inline constexpr Lanes kLanes;
inline constexpr std::int64_t kWidth = hn::MaxLanes(kLanes);  // floats of a vector

}  // namespace terse::kernels::HWY_NAMESPACE

#endif
