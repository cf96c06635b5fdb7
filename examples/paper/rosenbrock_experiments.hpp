// Experiments of 1905.12938 on Rosenbrock's function in ten dimensions.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Rosenbrock's function by signs: {samples, runs: [{batch, gamma, seeds: [{f, least, histogram}],
// points: [{step, f, rho_norm, least}]}]}. `least` is the least P(right) - P(wrong) of a coordinate;
// of a seed it is that of the second half, and `f` that at the end. The histogram counts those of
// all coordinates, from -1 to 1. The points have means over the seeds, of f the geometric one.
Experiment rosenbrock_noise(Scale scale);
// The same by votes: {nodes, f: [[of a seed]]}.
Experiment rosenbrock_votes(Scale scale);

}  // namespace terse::paper
