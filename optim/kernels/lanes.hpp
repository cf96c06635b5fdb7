// Vectors of floats, where GCC would make less of a loop.
#pragma once

#include <hwy/highway.h>

#include <cstdint>

#include "optim/kernels/vector.hpp"

namespace terse::kernels {

namespace hn = hwy::HWY_NAMESPACE;

// At most 8 lanes: their comparisons fill a byte.
using Lanes = hn::CappedTag<float, 8>;
using OneLane = hn::CappedTag<float, 1>;

inline constexpr std::int64_t kWordLanes = 32;

// Bit b is holds(b), for b < n <= 32: holds(d, b) compares as many from b on as the tag d has
// lanes.
template <class Holds>
HWY_INLINE std::uint32_t compare_word(std::int64_t n, Holds holds) {
  std::uint32_t word = 0;
  std::uint8_t bits = 0;
  if (n == kWordLanes) {
    for (std::int64_t b = 0; b < kWordLanes; b += hn::MaxLanes(Lanes())) {
      hn::StoreMaskBits(Lanes(), holds(Lanes(), b), &bits);
      word |= std::uint32_t{bits} << b;
    }
  } else {
    for (std::int64_t b = 0; b < n; ++b) {
      hn::StoreMaskBits(OneLane(), holds(OneLane(), b), &bits);
      word |= std::uint32_t{bits} << b;
    }
  }
  return word;
}

// Asks for the 32 floats that are worked on 256 floats later. The processor foresees as much
// itself, but not beyond the end of a page of 4 KB.
HWY_INLINE void fetch_ahead(const float* x) {
  constexpr std::int64_t kAhead = 256;
  prefetch({x + kAhead, kWordLanes});
}

}  // namespace terse::kernels
