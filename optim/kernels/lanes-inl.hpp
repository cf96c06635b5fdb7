// Comparisons of floats as words of 32 bits. For files that are compiled once a level
// (core/simd/dispatch.hpp).
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

// Bit i is lane i of the mask.
template <class D, class Mask>
HWY_INLINE std::uint32_t bits_of(D d, Mask mask) {
  std::conditional_t<(hn::MaxLanes(D()) > 8), std::uint16_t, std::uint8_t> bits = 0;
  hn::StoreMaskBits(d, mask, reinterpret_cast<std::uint8_t*>(&bits));
  return bits;
}

// Bit b is holds(b), for b < n <= 32: holds(d, b) compares as many from b on as the tag d has
// lanes.
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

// Asks for the 32 floats that are worked on 256 floats later. The processor foresees as much
// itself, but not beyond the end of a page of 4 KB.
HWY_INLINE void fetch_ahead(const float* x) {
  constexpr std::int64_t kAhead = 256, kLine = 64 / sizeof(float);
  for (std::int64_t i = kAhead; i < kAhead + kWordLanes; i += kLine) __builtin_prefetch(x + i);
}

}  // namespace terse::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
