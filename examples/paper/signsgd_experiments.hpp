// Experiments of 1802.04434 and 1810.05291 on known functions: the theorems' bounds, sparse noise,
// and inverted voters.
#pragma once

#include "examples/paper/claim.hpp"

namespace terse::paper {

// Noise that is not unimodal, near the minimum: {seeds: [{ratio}]}, f / f(x_0) at the end.
Experiment two_point_noise(Scale scale);
// Mean of |g|_1 in the setting of the theorem, batches of K: {cases: [{steps, bound, means: [of a
// seed]}]}.
Experiment large_batches(Scale scale);
// The same of a vote, with inverted voters of nine: {cases: [{steps, byzantine, bound, means}]}.
Experiment inverted_voters_bound(Scale scale);
// Means by the number of voters, batches of K and of 1: {voters, bound: [of a number], noiseless,
// seeds: [{batch: [of a number], single: likewise}]}.
Experiment vote_noise(Scale scale);
// The mixed norm at batch 1: {cases: [{steps, bound, means: [of a seed]}]}.
Experiment small_batches(Scale scale);
// Mean of f over the last fifth: {seeds: [{sgd, sign}]}.
Experiment sparse_noise(Scale scale);  // all of it in one coordinate
Experiment dense_noise(Scale scale);   // spread over all coordinates
// f after 2000 steps of 27 voters, and at the start: {byzantine, seeds: [{f: [of a number], start}]}.
Experiment inverted_voters(Scale scale);

}  // namespace terse::paper
