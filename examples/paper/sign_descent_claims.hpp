// Claims of 1905.12938 about descent by signs: on a quadratic, and where nodes have different
// functions. Each function adds its claims with their experiments.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

void add_sign_descent(Paper& paper, Scale scale);
void add_disagreeing_nodes(Paper& paper, Scale scale);  // the counter-example; SSDM

}  // namespace terse::paper
