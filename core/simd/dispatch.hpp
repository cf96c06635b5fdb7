// clang-format off
// How a kernel written with Highway is compiled for every instruction-set level and called at the
// chosen one.
//
//   #undef HWY_TARGET_INCLUDE
//   #define HWY_TARGET_INCLUDE "tersegrad/core/kernels/twice.cpp"   // this file
//   #include <hwy/foreach_target.h>                       // before any include of highway.h
//   #include "tersegrad/core/simd/lanes-inl.hpp"
//
//   HWY_BEFORE_NAMESPACE();
//   namespace terse::kernels::HWY_NAMESPACE {
//   void twice_at_level(std::int64_t n, float* x) { … }   // may call functions of HWY_NAMESPACE
//   }  // namespace terse::kernels::HWY_NAMESPACE
//   HWY_AFTER_NAMESPACE();
//
//   #if HWY_ONCE
//   namespace terse::kernels {
//   HWY_EXPORT(twice_at_level);                           // a table: one pointer for each level
//   void twice(std::int64_t n, float* x) { TERSE_DISPATCH(twice_at_level)(n, x); }
//   }  // namespace terse::kernels
//   #endif
//
// A call through the table takes 2 ns, so a dispatched function is a whole kernel, never the work
// on one element. Templates that take a lambda of HWY_NAMESPACE must be in HWY_NAMESPACE themselves
// (in a header *-inl.hpp with Highway's toggling guard). GCC does not inline a function into one
// compiled for fewer instructions, and a call for each element is nine times slower.
// scripts/check-dispatch searches the object files for such calls.
// clang-format on
#pragma once

#include "tersegrad/core/simd/isa.hpp"

// The function compiled for the chosen level; the first use in a process chooses it. `function`
// must have been passed to HWY_EXPORT.
#define TERSE_DISPATCH(function) (static_cast<void>(::terse::isa()), HWY_DYNAMIC_DISPATCH(function))
