// Claims of 1910.09466 about the traffic of sparse pushes, and the time that they take.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Appends the claims, and their experiments.
void add_push_traffic(Paper& paper, Scale scale);

}  // namespace terse::paper
