// Functions to minimise that are written down, in double: sums of components with exact gradients.
//
// What theorems are about, where a network would only suggest: the methods of methods.hpp run on
// them, and tests hold both to the papers' laws.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace terse::problems {

using Vector = std::vector<double>;
using In = std::span<const double>;
using Out = std::span<double>;

class Problem {
 public:
  virtual ~Problem() = default;
  virtual std::size_t dimension() const = 0;
  virtual std::size_t components() const = 0;
  virtual double component_value(std::size_t i, In x) const = 0;
  virtual void component_gradient(std::size_t i, In x, Out gradient) const = 0;

  // f is the mean of its components, or their sum.
  virtual bool is_sum() const { return false; }
  double value(In x) const;
  void gradient(In x, Out gradient) const;
};

// f_n(x) = sum_j curvature_j / 2 (x_j - targets[n]_j)². One target: a plain quadratic. Several: as
// many nodes that disagree.
std::unique_ptr<Problem> make_quadratic(Vector curvature, std::vector<Vector> targets);

// The same with a curvature of its own for each component.
std::unique_ptr<Problem> make_mixed_quadratic(std::vector<Vector> curvatures,
                                              std::vector<Vector> targets);

// Quadratics that disagree: of n = 1, 2, … nodes each has the curvature n / 2 and a normal target.
std::unique_ptr<Problem> make_disagreeing_quadratics(std::size_t dimension, std::uint32_t nodes,
                                                     std::uint64_t seed);

// Rosenbrock's valley in d dimensions, the sum of d-1 components of two coordinates each:
//   f_i(x) = 100 (x_{i+1} - x_i²)² + (1 - x_i)²
std::unique_ptr<Problem> make_rosenbrock(std::size_t dimension);

// On which signSGD stands still when it sees one component at a time:
//   f_n(x) = <a_n, x>²,  a_1 = (1 + eps, -1 + eps),  a_2 = (-1 + eps, 1 + eps),  0 < eps < 1
// Karimireddy et al., arXiv 1901.09847. From (1, 1), f is 4 eps² for ever.
std::unique_ptr<Problem> make_counter_example(double eps);

// f_i(x) = log(1 + exp(-y_i <a_i, x>)) + decay / 2 |x|²: rows a_i, labels y_i of ±1.
std::unique_ptr<Problem> make_logistic(std::vector<Vector> rows, Vector labels, double decay);

// ---- stochastic gradients -----------------------------------------------------------------------

// A gradient as node n sees it at a step; the same arguments give the same draws.
using Oracle = std::function<void(std::uint32_t node, std::uint64_t step, In x, Out gradient)>;

struct Sampling {
  std::int64_t batch = 1;  // components, drawn with replacement; 0: the gradient of f
  Vector noise = {};       // standard deviation of a normal error of each sample; empty: none
  std::uint64_t seed = 0;
};
// Shared data: every node draws from all components. The mean of `batch` samples, each a component
// and its error; with batch 0 the exact gradient and one error. (For a sum, that is its gradient
// over the number of components: of the same sign.) The problem must outlive the oracle.
Oracle shared_data(const Problem& problem, Sampling sampling);

// Partitioned data: node n has component n alone, with an error on each sample of it.
Oracle partitioned_data(const Problem& problem, Sampling sampling);

}  // namespace terse::problems
