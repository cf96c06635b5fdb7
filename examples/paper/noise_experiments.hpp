// The noise of a network's gradients while it trains: densities, signal-to-noise ratios, and the
// shape of the noise of single coordinates.
#pragma once

#include "examples/paper/claim.hpp"
#include "examples/paper/training_experiments.hpp"

namespace terse::paper {

// One worker trains with momentum and batches of 128. At the start and after every epoch one pass
// over the training set at constant parameters measures its gradients:
//   {coordinates, seeds: [{epochs: [{epoch, density_mean, density_noise, snr_mean, snr_below,
//     right, asymmetric, several_modes, skew}]}]}
// The last four are of 200 coordinates that are not constant: the share whose sign is right in more
// batches than it is wrong, the shares that fail the tests of shape_tests.hpp at 5 %, and the mean
// of |mean - median| / deviation.
Experiment gradient_noise(const Setting& setting);
std::string noise_of(const Setting& setting);  // its name

}  // namespace terse::paper
