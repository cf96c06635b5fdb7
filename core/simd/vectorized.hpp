// Plain loops, compiled for every level and run at the chosen one.
//
// `vectorized(body, …)` holds the body once for each level, with everything that it calls inlined,
// so that the compiler vectorises its loops as wide as the level allows. The body and all that it
// calls are ordinary code; a call costs about 2 ns, so the body is a loop and not an element.
#pragma once

#include <cstdint>
#include <utility>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/isa.hpp"

namespace terse {
namespace simd {

#if defined(__x86_64__) && !defined(HWY_COMPILE_ONLY_STATIC)
#define TERSE_LEVELS 1
#define TERSE_AVX2 "avx,avx2,bmi,bmi2,fma,f16c"
#define TERSE_AVX512 TERSE_AVX2 ",avx512f,avx512vl,avx512dq,avx512bw,avx512cd"
template <class Body, class... Args>
[[gnu::target(TERSE_AVX2), gnu::flatten, gnu::noinline]] auto at_avx2(const Body& body,
                                                                      Args... args) {
  return body(args...);
}
template <class Body, class... Args>
[[gnu::target(TERSE_AVX512), gnu::flatten, gnu::noinline]] auto at_avx512(const Body& body,
                                                                          Args... args) {
  return body(args...);
}
#undef TERSE_AVX2
#undef TERSE_AVX512
#endif

}  // namespace simd

// Calls body(args…) in its version for the chosen level. Arguments are passed by value.
template <class Body, class... Args>
auto vectorized(const Body& body, Args... args) {
#ifdef TERSE_LEVELS
  switch (isa()) {
    case Isa::avx512:
      return simd::at_avx512(body, args...);
    case Isa::avx2:
      return simd::at_avx2(body, args...);
    default:
      break;
  }
#endif
  return body(args...);
}

// As parallel_for and parallel_sum (core/parallel.hpp), with a body whose loops are vectorised.
template <class Body>
void vectorized_for(std::int64_t n, std::int64_t grain, const Body& body) {
  parallel_for(n, grain,
               [&](std::int64_t begin, std::int64_t end) { vectorized(body, begin, end); });
}
template <class Body>
double vectorized_sum(std::int64_t n, std::int64_t grain, const Body& body) {
  return parallel_sum(
      n, grain, [&](std::int64_t begin, std::int64_t end) { return vectorized(body, begin, end); });
}

}  // namespace terse
