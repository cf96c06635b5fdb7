// Claims of 1810.05291 about votes of honest workers: accuracy, traffic and time. Each function adds
// the claim of its name and its experiments.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

void add_vote_workers(Paper& paper, Scale scale);
void add_vote_accuracy(Paper& paper, Scale scale);
void add_vote_traffic(Paper& paper, Scale scale);
void add_vote_times(Paper& paper, Scale scale);  // communication and vote-step

}  // namespace terse::paper
