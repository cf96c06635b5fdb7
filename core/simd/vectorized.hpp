// Plain loops, compiled for every instruction-set level and run at the chosen one.
//
// `vectorized(body, …)` is compiled once for each level, with everything that `body` calls inlined,
// so the compiler vectorises its loops for that level. The body and the functions that it calls are
// ordinary code. A call costs about 2 ns, so a body should be a loop, not the work on one element.
#pragma once

#include <cstdint>
#include <utility>

#include "tersegrad/core/parallel.hpp"
#include "tersegrad/core/simd/isa.hpp"

namespace terse {
namespace simd {

#if defined(__x86_64__) && !defined(TERSE_ONE_LEVEL)
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

// Calls body(args…) in the version of the chosen level. Arguments are passed by value.
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

// Like parallel_for and parallel_sum (core/parallel.hpp), with a body compiled for the chosen
// level.
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
