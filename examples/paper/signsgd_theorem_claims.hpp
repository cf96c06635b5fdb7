// Claims of 1802.04434 and 1810.05291 on known functions. Each function adds its claims and their
// experiments.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// error-bound, bimodal, large-batch, vote-noise, small-batch, sparse-noise, dense-noise.
void add_signsgd_theorems(Paper& paper, Scale scale);
void add_inverted_voters(Paper& paper, Scale scale);  // adversaries-toy, adversaries-bound

}  // namespace terse::paper
