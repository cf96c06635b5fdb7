// Optimization methods on a Problem, each a function that makes one step. They are written in
// double and as in the papers, so that tests can check the statements of the papers on them.
//
//   const auto problem = make_rosenbrock(10);
//   const auto step = sign_descent(shared_data(*problem, {.batch = 5}), constant(0.01));
//   for (std::uint64_t k = 0; k < 1000; ++k) step(k, x);
//
// sign(0) = 0. A Step holds the state of its method; copying the Step copies the state.
#pragma once

#include "tersegrad/optim/problems/problem.hpp"

namespace terse::problems {

using Step = std::function<void(std::uint64_t k, Out x)>;  // k = 0, 1, …
using StepSize = std::function<double(std::uint64_t k)>;   // gamma at step k
StepSize constant(double gamma);
StepSize decreasing(double gamma);  // gamma / sqrt(k + 1)

// Stochastic gradient descent:  x -= gamma g
Step gradient_descent(Oracle oracle, StepSize gamma);

// signSGD, option 1:  x -= gamma sign(g)
Step sign_descent(Oracle oracle, StepSize gamma);
// Majority vote of `nodes` nodes:  x -= gamma sign(sum_n sign(g_n)); a tie does not move x_i
Step vote_descent(Oracle oracle, std::uint32_t nodes, StepSize gamma);
// Option 2 of both: makes the step only if it decreases f; if f would be equal, larger or NaN, x
// stays unchanged. The problem must outlive the step.
Step only_downhill(const Problem& problem, Step step);

// SSDM, algorithm 3 of arXiv 1905.12938 (details reconstructed); m^n starts as g^n:
//   m^n = beta m^n + (1 - beta) g^n;   x -= gamma / nodes · sum_n ssign(m^n)
// ssign(m)_i is +1 with probability (1 + m_i / |m|_2) / 2, else -1. With `norms`, each node sends
// |m^n|_2 ssign(m^n) instead, which is unbiased and costs one more float per node. Without `norms`,
// every node has the same weight whatever the slope of its f_n; if the nodes' minimisers differ, x
// does not converge to the minimum of f.
struct SsdmOptions {
  std::uint32_t nodes = 1;
  double beta = 0.9;
  bool norms = false;
  std::uint64_t seed = 0;
};
Step ssdm(Oracle oracle, SsdmOptions options, StepSize gamma);

// EF-signSGD, arXiv 1901.09847. The error e has the unit of x, not of the gradient:
//   p = gamma g + e;   u = |p|_1 / d · sign(p);   x -= u;   e = p - u
Step ef_sign_descent(Oracle oracle, StepSize gamma);

// SAG, arXiv 1309.2388. Each step recomputes the gradient of one component, drawn at random, and
// moves along the mean of the latest gradients of all components visited so far. Keeps one vector
// per component. The problem must outlive the step.
Step stochastic_average_gradient(const Problem& problem, std::uint64_t seed, StepSize gamma);

// ZO-signSGD (Liu et al., ICLR 2019): a zeroth-order method by central differences. Each step draws
// one component i and evaluates f_i 2 · `directions` times; u_q is uniform on the unit sphere:
//   x -= gamma sign(sum_q (f_i(x + mu u_q) - f_i(x - mu u_q)) u_q)
struct ZerothOrder {
  std::int64_t directions = 10;
  double mu = 1e-3;
  std::uint64_t seed = 0;
};
Step zo_sign_descent(const Problem& problem, ZerothOrder options, StepSize gamma);

}  // namespace terse::problems
