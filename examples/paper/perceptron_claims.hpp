// The claims of Safaryan and Richtárik, arXiv 1905.12938, on a network of one hidden layer: how
// often signs are right in training, what megabytes buy, and batches of one half of the classes.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Adds these claims and their experiments.
void add_perceptron_claims(Paper& paper, Scale scale, const std::string& mnist);

}  // namespace terse::paper
