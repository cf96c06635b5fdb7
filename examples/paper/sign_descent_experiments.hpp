// Experiments of 1905.12938 on descent by signs: on a quadratic, and where nodes have different
// functions.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// signSGD at constant rates: {gamma, bound, seeds: [{mean: [of a rate], second_half: likewise}]}, of
// the rho-norm.
Experiment sign_plateau(Scale scale);
// signSGD at gamma_0 / sqrt(k + 1): {steps, seeds: [{rho_norm: [of a step count], norm: likewise}]}.
Experiment sign_rate(Scale scale);
// Options 1 and 2 with the same draws: {seeds: [{one, two, increases}]}.
Experiment option_two(Scale scale);
// The counter-example: {signs: [least f / f(x_0) at a rate], vote: likewise, seeds: [{ssdm,
// feedback}]}; those of the seeds are f / f(x_0) at the end.
Experiment counter_example(Scale scale);
// SSDM with the rates of its theorem: {steps, seeds: [{norm: [of a step count]}]}.
Experiment ssdm_rate(Scale scale);         // all nodes have the same f
Experiment ssdm_partitioned(Scale scale);  // each node has its own

}  // namespace terse::paper
