// Claims of 1802.04434 that compare signs with Adam, and Signum with other optimizers. Each function
// adds its claims and their experiments.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

void add_adam_limit(Paper& paper, Scale scale);
void add_signum_claims(Paper& paper, Scale scale);  // signum-adam, signum-sgd, signum-signsgd

}  // namespace terse::paper
