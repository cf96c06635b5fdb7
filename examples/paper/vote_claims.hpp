// Claims of 1802.04434 and 1810.05291 about networks that train by signs, beyond comparisons of two
// methods. Each function adds the claim of its name, or claims, with their experiments.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

void add_adam_limit(Paper& paper, Scale scale);
void add_small_rate(Paper& paper, Scale scale);
void add_batch_sweep(Paper& paper, Scale scale);
void add_vote_workers(Paper& paper, Scale scale);
void add_vote_traffic(Paper& paper, Scale scale);
void add_adversaries(Paper& paper, Scale scale);  // and adversaries-half, mean-breaks
void add_communication(Paper& paper, Scale scale);

}  // namespace terse::paper
