// Claims of 1802.04434 about the gradients of a network and their noise.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// density, density-noise, noise-symmetric, noise-unimodal, snr-falls, and their experiment.
void add_noise_claims(Paper& paper, Scale scale);

}  // namespace terse::paper
