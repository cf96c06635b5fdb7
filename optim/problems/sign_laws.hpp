// Theoretical bounds on the signs of noisy gradients, and measurements to compare with them.
//
// rho_i is the probability that coordinate i of the stochastic gradient has the sign of g_i.
// S = |g_i| / sigma_i is the signal-to-noise ratio. Sources: Safaryan and Richtárik, arXiv
// 1905.12938; Bernstein et al., arXiv 1802.04434.
#pragma once

#include "tersegrad/optim/problems/problem.hpp"

namespace terse::problems {

// Lower bounds on rho for unimodal symmetric noise.
double rho_bound(double snr);    // 1/2 + S / (2 (S + sqrt 3)): arXiv 1905.12938, lemma 1
double gauss_bound(double snr);  // 1 - 2/(9 S²) if S > 2/sqrt 3, else 1/2 + S/(2 sqrt 3)

// The probability that the majority vote of `nodes` nodes is correct, if each node is correct with
// probability rho, no sign is zero, and a tie counts as half correct. It is P(Bin(2l-1, rho) >= l)
// with l = floor((nodes+1)/2), the regularised incomplete beta function I(rho; l, l). An even
// number of nodes has the same probability as one node fewer.
double vote_success(double rho, std::uint32_t nodes);

// For each coordinate, the fractions of stochastic signs that are correct and wrong.
struct SignChances {
  Vector correct, wrong;  // the remaining fraction is zeros
  // sum_i (correct_i - wrong_i) |g_i|, the expected descent of f per unit step. If no stochastic
  // gradient is zero, this is the "rho-norm" sum_i (2 rho_i - 1) |g_i|.
  double rho_norm(In gradient) const;
};
// Measures the signs of `samples` votes of `nodes` nodes at x. Sample s calls the oracle with the
// step first + s.
SignChances sign_chances(const Problem& problem, const Oracle& oracle, std::uint32_t nodes, In x,
                         std::uint64_t first, std::int64_t samples);

}  // namespace terse::problems
