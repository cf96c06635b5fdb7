// Claims of 1905.12938 about how often the sign of a noisy gradient is right, of one worker and of
// a vote. Each function adds its claims with their experiments.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

void add_sign_success(Paper& paper, Scale scale);
void add_vote_success(Paper& paper, Scale scale);

}  // namespace terse::paper
