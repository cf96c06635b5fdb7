// Figure 3 of arXiv 1905.13727: how the time of a step grows with the workers, on two back-ends. As
// in the paper, the batch grows with them, so that an epoch has fewer steps.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Adds scaling, scaling-gathered and scaling-speed.
void add_scaling_claims(Paper& paper, Scale scale);

}  // namespace terse::paper
