// Experiments of 1910.09466 on small functions, in virtual time.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// {cases: [{workers, durations, seed, mean, pushes, histogram}]}; the histogram of exponential
// durations alone.
Experiment staleness_of_pushes(Scale scale);
// The mean of |grad f|² over T updates of eight workers at a rate of c / sqrt T: {updates, seeds:
// [{dense: [of a T], sparse: likewise}]}.
Experiment asynchronous_rate(Scale scale);
// Momentum and rate that fit the mean path of f = x²/2: {workers, rate, seeds: [{momentum: [of a
// W], rate: likewise}]}.
Experiment implicit_momentum(Scale scale);

}  // namespace terse::paper
