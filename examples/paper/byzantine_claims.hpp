// Claims of 1810.05291 about networks some of whose workers are Byzantine.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// adversaries, adversaries-half, mean-breaks, and their experiments.
void add_adversaries(Paper& paper, Scale scale);

}  // namespace terse::paper
