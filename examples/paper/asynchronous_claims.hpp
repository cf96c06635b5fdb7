// Claims of 1910.09466 about what staleness does to the server's SGD: stable rates and momentum.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Appends the claims, and their experiments.
void add_asynchronous_server(Paper& paper, Scale scale);

}  // namespace terse::paper
