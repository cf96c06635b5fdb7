// clang-format off
// How a kernel in Highway's vectors is compiled for every level and called at the chosen one.
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "tersegrad/core/kernels/twice.cpp"   // this file, compiled once a level
//   #include <hwy/foreach_target.h>                       // before what includes highway.h
//   #include "tersegrad/core/simd/lanes-inl.hpp"
//
//   HWY_BEFORE_NAMESPACE();
//   namespace terse::kernels::HWY_NAMESPACE {
//   void twice_at_level(std::int64_t n, float* x) { … }   // may call what stands in HWY_NAMESPACE
//   }  // namespace terse::kernels::HWY_NAMESPACE
//   HWY_AFTER_NAMESPACE();
//
//   #if HWY_ONCE
//   namespace terse::kernels {
//   HWY_EXPORT(twice_at_level);                           // a table of one pointer a level
//   void twice(std::int64_t n, float* x) { TERSE_DISPATCH(twice_at_level)(n, x); }
//   }  // namespace terse::kernels
//   #endif
//
// A call through the table takes 2 ns: what is dispatched is a whole kernel, never an element.
// Templates that take a lambda of HWY_NAMESPACE must stand in HWY_NAMESPACE themselves (a header
// *-inl.hpp with Highway's toggling guard): GCC inlines nothing into a function of fewer
// instructions, and a call for each element is nine times slower. scripts/check-dispatch looks for
// such calls in the objects.
// clang-format on
#pragma once

#include "tersegrad/core/simd/isa.hpp"

// The function of the chosen level; the first call chooses it. HWY_EXPORT must have named it.
#define TERSE_DISPATCH(function) (static_cast<void>(::terse::isa()), HWY_DYNAMIC_DISPATCH(function))
