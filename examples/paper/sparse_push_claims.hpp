// Claims of 1910.09466 about the accuracy that sparse pushes lose or gain against dense ones.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Appends the claims, and their experiments.
void add_sparse_pushes(Paper& paper, Scale scale);

}  // namespace terse::paper
