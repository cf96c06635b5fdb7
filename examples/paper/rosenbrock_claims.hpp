// Claims of 1905.12938 on Rosenbrock's function: the threshold of convergence, and votes.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Adds these claims and their experiments.
void add_rosenbrock(Paper& paper, Scale scale);

}  // namespace terse::paper
