// The claims of 1910.09466 about networks that are trained with stale gradients.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Appends the claims, and their experiments.
void add_asynchronous_claims(Paper& paper, Scale scale);

}  // namespace terse::paper
