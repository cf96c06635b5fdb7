// The two kinds of residual of PowerSGD's error feedback: what a worker's own reconstruction has
// left out of its gradient, or what the mean of all workers' has (Algorithm 2 of arXiv 1905.13727).
//
//   local      e_w = D_w − P̂ P̂ᵀ D_w
//   averaged   e_w = D_w − P̂ Qᵀ, Q the mean of D_wᵀ P̂ over the workers
//
// Both have the same mean over the workers, on which alone P̂ and Q depend, so both give one
// trajectory. The averaged residual adds every step's D_w − mean D in the plane of P̂, which is
// noise: a random walk.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Four workers, a matrix of 40 × 30, rank 2, noise of variance 1. {times, seeds: [{difference,
// averaged: [‖e‖ at these times], local: [the same]}]}. `difference` is that of the models after 10
// steps in double, by a few lines of its own; the norms are those of the project's compressor.
Experiment residual_kinds(Scale scale);
Finding residuals_drift(const Rows& rows);
Charts draw_residuals(const Rows& rows);

}  // namespace terse::paper
