// How often the sign of a noisy gradient is right, of one worker and of a vote. The papers
// 1905.12938 and 1802.04434 share these experiments.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// How often a sign is right: {cases: [{noise, snr, rho, error}]}, one for each law of noise, ratio
// and seed.
Experiment sign_success(Scale scale);
// The same for means of tau samples whose variance is c g²: {cases: [{noise, c, tau, rho, error}]}.
Experiment batch_success(Scale scale);
// Votes of the compressor `vote` on random signs: {cases: [{nodes, rho, seed, success,
// error, stated}]}.
Experiment vote_success_rates(Scale scale);

}  // namespace terse::paper
