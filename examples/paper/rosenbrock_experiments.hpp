// Experiments of 1905.12938 on Rosenbrock's function in ten dimensions.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Rosenbrock's function by signs: {runs: [{batch, gamma, seeds: [{f, least, histogram}]}]}; f at the
// end, the least P(right) - P(wrong) of a coordinate in the second half, and the histogram of all.
// The first seed has points: [{step, f, least}].
Experiment rosenbrock_noise(Scale scale);
// The same by votes: {nodes, f: [[of a seed]]}.
Experiment rosenbrock_votes(Scale scale);

}  // namespace terse::paper
