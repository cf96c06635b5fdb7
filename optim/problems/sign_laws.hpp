// What theory says of the signs of noisy gradients, and how to measure it.
//
// rho_i = P(sign of the stochastic gradient's coordinate i is the gradient's). S = |g_i| / sigma_i
// is the signal-to-noise ratio. Sources: Safaryan and Richtárik, arXiv 1905.12938; Bernstein et
// al., arXiv 1802.04434.
#pragma once

#include "tersegrad/optim/problems/problem.hpp"

namespace terse::problems {

// Lower bounds on rho for unimodal symmetric noise.
double rho_bound(double snr);    // 1/2 + S / (2 (S + sqrt 3)): arXiv 1905.12938, lemma 1
double gauss_bound(double snr);  // 1 - 2/(9 S²) beyond S = 2/sqrt 3, else 1/2 + S/(2 sqrt 3)

// P(a vote of `nodes` is right) where each is with probability rho and none is zero, a tie counting
// half: P(Bin(2l-1, rho) >= l), l = floor((nodes+1)/2); the regularised incomplete beta function
// I(rho; l, l). An even number of nodes is no better than one less.
double vote_success(double rho, std::uint32_t nodes);

// What share of a method's stochastic signs point the right way, coordinate by coordinate.
struct SignChances {
  Vector correct, wrong;  // the rest are zeros
  // sum_i (P(correct) - P(wrong)) |g_i|: what drives descent. It is sum (2 rho_i - 1) |g_i|, the
  // "rho-norm", where no stochastic gradient is zero.
  double rho_norm(In gradient) const;
};
// The signs of `samples` votes of `nodes` at x, at the steps [first, first + samples).
SignChances sign_chances(const Problem& problem, const Oracle& oracle, std::uint32_t nodes, In x,
                         std::uint64_t first, std::int64_t samples);

}  // namespace terse::problems
