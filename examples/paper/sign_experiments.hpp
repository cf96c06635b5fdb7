// Experiments on signs of noisy gradients: single coordinates, known functions, votes. The papers
// 1905.12938 and 1802.04434 share them.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// How often a sign is right: {cases: [{noise, snr, rho, error}]}, one for each law of noise, ratio
// and seed.
Experiment sign_success(Scale scale);
// The same for means of tau samples whose variance is c g²: {cases: [{noise, c, tau, rho, error}]}.
Experiment batch_success(Scale scale);
// signSGD at constant rates: {gamma, mean: [[of a seed]], second_half, bound}, of the rho-norm.
Experiment sign_plateau(Scale scale);
// signSGD at gamma_0 / sqrt(k + 1): {steps, rho_norm: [[of a step count] of a seed], norm: likewise}.
Experiment sign_rate(Scale scale);
// Options 1 and 2 with the same draws: {increases, one: [of a seed], two: [of a seed]}.
Experiment option_two(Scale scale);
// Votes of the compressor `vote` on random signs: {cases: [{nodes, rho, success, error, stated}]}.
Experiment vote_success_rates(Scale scale);
// Rosenbrock's function by signs: {runs: [{batch, gamma, seeds: [{f, least, histogram}]}]}; f at the
// end, the least P(right) - P(wrong) of a coordinate in the second half, and the histogram of all.
// The first seed has points: [{step, f, least}].
Experiment rosenbrock_noise(Scale scale);
// The same by votes: {nodes, f: [[of a seed]]}.
Experiment rosenbrock_votes(Scale scale);
// The counter-example: {signs, vote: [least f / f(x_0) at a rate], ssdm, feedback: [f / f(x_0) of a
// seed at the end]}.
Experiment counter_example(Scale scale);
// SSDM with the rates of its theorem: {steps, norm: [[of a step count] of a seed]}.
Experiment ssdm_rate(Scale scale);         // all nodes have the same f
Experiment ssdm_partitioned(Scale scale);  // each node has its own

}  // namespace terse::paper
