// Claims of 1802.04434 and 1810.05291 about networks that train by signs, beyond comparisons of two
// methods.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

void add_sign_claims(Paper& paper, Scale scale);  // Adam's limit, learning rates, batches
void add_vote_claims(Paper& paper, Scale scale);  // workers, traffic, Byzantine workers

}  // namespace terse::paper
