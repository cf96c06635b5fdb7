// Methods on a Problem, each a function that makes one step. In double, and as the papers write
// them: what their laws are tested on.
//
//   const auto problem = make_rosenbrock(10);
//   const auto step = sign_descent(shared_data(*problem, {.batch = 5}), constant(0.01));
//   for (std::uint64_t k = 0; k < 1000; ++k) step(k, x);
//
// sign(0) = 0. The state of a method is its function's own: copying it copies the state.
#pragma once

#include "tersegrad/optim/problems/problem.hpp"

namespace terse::problems {

using Step = std::function<void(std::uint64_t k, Out x)>;  // k = 0, 1, …
using StepSize = std::function<double(std::uint64_t k)>;
StepSize constant(double gamma);
StepSize decreasing(double gamma);  // gamma / sqrt(k + 1)

Step gradient_descent(Oracle oracle, StepSize gamma);

// signSGD, option 1:  x -= gamma sign(g)
Step sign_descent(Oracle oracle, StepSize gamma);
// Vote of `nodes`:    x -= gamma sign(sum_n sign(g_n)); a tie is no move
Step vote_descent(Oracle oracle, std::uint32_t nodes, StepSize gamma);
// Option 2 of either: the step is taken back unless f falls. x stays where f would be equal or NaN.
Step only_downhill(const Problem& problem, Step step);

// Algorithm 3 of arXiv 1905.12938 (reconstructed), m^n = g^n at first:
//   m^n = beta m^n + (1 - beta) g^n;   x -= gamma / nodes · sum_n ssign(m^n)
// By `norms`, |m^n| ssign(m^n) is sent instead: one more float a node, and unbiased. Without them
// each node counts alike however steep its f_n is: where the nodes' minimisers differ, x settles
// elsewhere than at the minimum of f.
struct SsdmOptions {
  std::uint32_t nodes = 1;
  double beta = 0.9;
  bool norms = false;
  std::uint64_t seed = 0;
};
Step ssdm(Oracle oracle, SsdmOptions options, StepSize gamma);

// EF-signSGD, arXiv 1901.09847, with error feedback in the unit of x:
//   p = gamma g + e;   u = |p|_1 / d · sign(p);   x -= u;   e = p - u
Step ef_sign_descent(Oracle oracle, StepSize gamma);

// SAG, arXiv 1309.2388: the mean of the last gradient seen of each component, one of them renewed;
// before all were seen, the mean of those that were.
Step stochastic_average_gradient(const Problem& problem, std::uint64_t seed, StepSize gamma);

// ZO-signSGD (Liu et al., ICLR 2019): no gradients, 2 · `directions` values of one component drawn
// for all, u_q uniform on the unit sphere:
//   x -= gamma sign(sum_q (f_i(x + mu u_q) - f_i(x - mu u_q)) u_q)      central differences
struct ZerothOrder {
  std::int64_t directions = 10;
  double mu = 1e-3;
  std::uint64_t seed = 0;
};
Step zo_sign_descent(const Problem& problem, ZerothOrder options, StepSize gamma);

}  // namespace terse::problems
