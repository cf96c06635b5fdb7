// Float vectors of the level's full width. For files that are compiled once for each level
// (core/simd/dispatch.hpp).
#if defined(TERSE_CORE_SIMD_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_CORE_SIMD_LANES_INL
#undef TERSE_CORE_SIMD_LANES_INL
#else
#define TERSE_CORE_SIMD_LANES_INL
#endif

#include <hwy/highway.h>

#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Lanes = hn::ScalableTag<float>;
using FloatVector = hn::Vec<Lanes>;
inline constexpr Lanes kLanes;
inline constexpr std::int64_t kWidth = hn::MaxLanes(kLanes);  // floats in a vector

// kMasks: a masked load or store accesses no memory outside the mask. kFastMasks: it is also as
// fast as an unmasked one.
inline constexpr bool kMasks = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX2;
inline constexpr bool kFastMasks = HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3;

// load_part reads the first min(count, kWidth) lanes and sets the others to 0; store_part writes
// only these lanes.
HWY_INLINE FloatVector load_part(const float* from, std::int64_t count) {
  if (count >= kWidth) return hn::LoadU(kLanes, from);
  if constexpr (kMasks) {
    return hn::MaskedLoad(hn::FirstN(kLanes, static_cast<std::size_t>(count)), kLanes, from);
  } else {
    HWY_ALIGN float some[kWidth] = {};
    for (std::int64_t j = 0; j < count; ++j) some[j] = from[j];
    return hn::Load(kLanes, some);
  }
}
HWY_INLINE void store_part(FloatVector x, float* to, std::int64_t count) {
  if (count >= kWidth) return hn::StoreU(x, kLanes, to);
  if constexpr (kMasks) {
    hn::BlendedStore(x, hn::FirstN(kLanes, static_cast<std::size_t>(count)), kLanes, to);
  } else {
    HWY_ALIGN float some[kWidth];
    hn::Store(x, kLanes, some);
    for (std::int64_t j = 0; j < count; ++j) to[j] = some[j];
  }
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
