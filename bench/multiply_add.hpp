// What no kernel exceeds: fused multiply-adds of sums in registers, at the level that kernels run
// at.
#pragma once

namespace terse {

// Runs twelve sums for some milliseconds on the calling thread; returns the operations, two each.
double multiply_add();

}  // namespace terse
