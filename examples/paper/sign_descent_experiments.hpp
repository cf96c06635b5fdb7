// Experiments of 1905.12938 on descent by signs: on a quadratic, and where nodes have different
// functions.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// signSGD at constant rates: {gamma, mean: [[of a seed]], second_half, bound}, of the rho-norm.
Experiment sign_plateau(Scale scale);
// signSGD at gamma_0 / sqrt(k + 1): {steps, rho_norm: [[of a step count] of a seed], norm: likewise}.
Experiment sign_rate(Scale scale);
// Options 1 and 2 with the same draws: {increases, one: [of a seed], two: [of a seed]}.
Experiment option_two(Scale scale);
// The counter-example: {signs, vote: [least f / f(x_0) at a rate], ssdm, feedback: [f / f(x_0) of a
// seed at the end]}.
Experiment counter_example(Scale scale);
// SSDM with the rates of its theorem: {steps, norm: [[of a step count] of a seed]}.
Experiment ssdm_rate(Scale scale);         // all nodes have the same f
Experiment ssdm_partitioned(Scale scale);  // each node has its own

}  // namespace terse::paper
