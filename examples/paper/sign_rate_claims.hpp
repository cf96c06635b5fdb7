// Claims of 1802.04434 about learning rates and batches of signs. Each function adds the claim of its
// name and its experiments.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

void add_small_rate(Paper& paper, Scale scale);
void add_batch_sweep(Paper& paper, Scale scale);

}  // namespace terse::paper
