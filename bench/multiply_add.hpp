// A measurement of the FMA peak, an upper bound for all kernels: fused multiply-adds on registers,
// at the SIMD level at which the kernels run.
#pragma once

namespace terse {

// Runs twelve independent chains of multiply-adds on the calling thread. Returns the number of
// floating-point operations, two per multiply-add and lane.
double multiply_add();

}  // namespace terse
