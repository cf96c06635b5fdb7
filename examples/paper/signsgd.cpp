// Bernstein et al., "signSGD", arXiv 1802.04434, and "signSGD with Majority Vote", 1810.05291.
#include "examples/paper/byzantine_claims.hpp"
#include "examples/paper/claim.hpp"
#include "examples/paper/gradient_noise_claims.hpp"
#include "examples/paper/sign_rate_claims.hpp"
#include "examples/paper/signsgd_theorem_claims.hpp"
#include "examples/paper/signum_claims.hpp"
#include "examples/paper/vote_claims.hpp"

namespace terse::paper {

Paper signsgd(Scale scale) {
  Paper paper = {
      .number = "1802.04434",
      .title = "signSGD: compressed optimisation for non-convex problems, and majority vote",
      .symbols =
          "lenet and resnet20 are the models N and R of the table, and vote has the momentum 0.9 "
          "in training. g is the gradient, σ the standard deviation of a stochastic one, "
          "coordinate by coordinate; S = |g|/σ is the signal-to-noise ratio, and 2/√3 is "
          "critical; φ(v) = ‖v‖₁²/(d ‖v‖₂²) is the density of a vector with d entries: 1 if all "
          "are equally large, 1/d if only one is not zero. K is the number of steps, M the number "
          "of voters, x₀ the start. A mixed norm is quadratic where S is below its critical "
          "value, and linear elsewhere. The dip statistic is the distance of a distribution from "
          "the nearest one with a single mode. −100 g is an attack that sends the negative "
          "gradient a hundredfold; a vote counts its signs alone, so it acts as inversion does. "
          "Adversaries in the majority turn descent into ascent: accuracy may then fall below "
          "that of guessing, 10 %.",
      .notes =
          "Functions: large-batch, vote-noise, small-batch and adversaries-bound minimise Σ "
          "Lⱼxⱼ²/2 over ten coordinates, Lⱼ = 0.2 … 2, from xⱼ = 1, with normal noise of "
          "deviation 2 … 0.65. bimodal minimises x²/2 from 0.1 with noise of mean 0: 18 with "
          "probability 0.1, else −2. sparse-noise and dense-noise minimise |x|²/2 in a hundred "
          "dimensions, with noise of deviation 100 in one and of 10 in all. adversaries-toy "
          "minimises |x|²/2 in a thousand dimensions with noise of deviation 1.",
      .claims = {},
      .experiments = {}};
  add_signsgd_theorems(paper, scale);
  add_adam_limit(paper, scale);
  add_noise_claims(paper, scale);
  add_signum_claims(paper, scale);
  add_small_rate(paper, scale);
  add_batch_sweep(paper, scale);
  add_vote_workers(paper, scale);
  add_vote_accuracy(paper, scale);
  add_vote_traffic(paper, scale);
  add_inverted_voters(paper, scale);
  add_adversaries(paper, scale);
  add_vote_times(paper, scale);
  return paper;
}

}  // namespace terse::paper
