// Claims of 1905.12938 on a perceptron that two workers train, each of which has half of the classes.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Adds split-vote, split-feedback and split-ssdm with their experiments.
void add_split_workers(Paper& paper, Scale scale);

}  // namespace terse::paper
