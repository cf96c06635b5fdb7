// Comparisons of floats whose results are 32-bit masks. For files that are compiled once per SIMD
// level (core/simd/dispatch.hpp).
#if defined(TERSE_OPTIM_KERNELS_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef TERSE_OPTIM_KERNELS_LANES_INL
#undef TERSE_OPTIM_KERNELS_LANES_INL
#else
#define TERSE_OPTIM_KERNELS_LANES_INL
#endif

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "tersegrad/core/simd/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace terse::kernels::HWY_NAMESPACE {

using OneLane = hn::CappedTag<float, 1>;

inline constexpr std::int64_t kWordLanes = 32;

// The mask as an integer: bit i is lane i.
template <class D, class Mask>
HWY_INLINE std::uint32_t bits_of(D d, Mask mask) {
  std::conditional_t<(hn::MaxLanes(D()) > 8), std::uint16_t, std::uint8_t> bits = 0;
  hn::StoreMaskBits(d, mask, reinterpret_cast<std::uint8_t*>(&bits));
  return bits;
}

// Bit b of the result is the comparison of value b, b < n <= 32. holds(d, b) returns the mask of
// the comparisons of the values b, b + 1, …, one per lane of the tag d.
template <class Holds>
HWY_INLINE std::uint32_t compare_word(std::int64_t n, Holds holds) {
  std::uint32_t word = 0;
  if (n == kWordLanes) {
    for (std::int64_t b = 0; b < kWordLanes; b += kWidth) {
      word |= bits_of(kLanes, holds(kLanes, b)) << b;
    }
  } else {
    for (std::int64_t b = 0; b < n; ++b) word |= bits_of(OneLane(), holds(OneLane(), b)) << b;
  }
  return word;
}

// Prefetches the 32 floats at x + 256. The hardware prefetcher does as much, but not across the end
// of a 4 KB page.
HWY_INLINE void fetch_ahead(const float* x) {
  constexpr std::int64_t kAhead = 256, kLine = 64 / sizeof(float);
  for (std::int64_t i = kAhead; i < kAhead + kWordLanes; i += kLine) __builtin_prefetch(x + i);
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
