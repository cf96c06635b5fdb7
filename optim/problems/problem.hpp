// Analytic test functions with exact gradients, in double. Each function is a mean or a sum of
// components.
//
// Convergence theorems can be checked on these functions but not on a network. The methods of
// methods.hpp run on them, and tests compare the results with the statements of the papers.
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

  // True if f is the sum of its components, false if f is their mean.
  virtual bool is_sum() const { return false; }
  // f(x) and its gradient; both evaluate all components.
  double value(In x) const;
  void gradient(In x, Out gradient) const;
};

// f_n(x) = sum_j curvature_j / 2 (x_j - targets[n]_j)², one component per target. With several
// targets, the components have different minimisers.
std::unique_ptr<Problem> make_quadratic(Vector curvature, std::vector<Vector> targets);

// The same with a separate curvature vector for each component. Throws Error if the numbers of
// curvatures and targets, or their dimensions, differ.
std::unique_ptr<Problem> make_mixed_quadratic(std::vector<Vector> curvatures,
                                              std::vector<Vector> targets);

// Quadratics with different minimisers: node n = 1, 2, … has curvature n / 2 in every coordinate
// and a target drawn from N(0, 1).
std::unique_ptr<Problem> make_disagreeing_quadratics(std::size_t dimension, std::uint32_t nodes,
                                                     std::uint64_t seed);

// Rosenbrock's function in d >= 2 dimensions, a sum of d-1 components of two coordinates each:
//   f_i(x) = 100 (x_{i+1} - x_i²)² + (1 - x_i)²
std::unique_ptr<Problem> make_rosenbrock(std::size_t dimension);

// A counter-example to signSGD: when each step uses one component, f does not decrease.
//   f_n(x) = <a_n, x>²,  a_1 = (1 + eps, -1 + eps),  a_2 = (-1 + eps, 1 + eps),  0 < eps < 1
// Started at (1, 1), f stays at 4 eps². Source: Karimireddy et al., arXiv 1901.09847.
std::unique_ptr<Problem> make_counter_example(double eps);

// Logistic regression: f_i(x) = log(1 + exp(-y_i <a_i, x>)) + decay / 2 |x|². `rows` are the a_i,
// `labels` the y_i, each +1 or -1.
std::unique_ptr<Problem> make_logistic(std::vector<Vector> rows, Vector labels, double decay);

// ---- stochastic gradients -----------------------------------------------------------------------

// Writes the stochastic gradient that a node computes at a step. The same arguments give the same
// gradient.
using Oracle = std::function<void(std::uint32_t node, std::uint64_t step, In x, Out gradient)>;

struct Sampling {
  std::int64_t batch = 1;  // components drawn with replacement; 0: the full gradient of f
  Vector noise = {};       // standard deviation of Gaussian noise per coordinate; empty: no noise
  std::uint64_t seed = 0;
};
// Shared data: every node draws from all components. The result is the mean of `batch` samples,
// each the gradient of one component plus noise. With batch = 0 it is the full gradient plus noise
// once. If f is a sum, the mean of samples estimates its gradient divided by the number of
// components, which has the same sign. The problem must outlive the oracle.
Oracle shared_data(const Problem& problem, Sampling sampling);

// Partitioned data: node n always returns the gradient of component n, plus noise. `batch` is not
// used. The problem must outlive the oracle.
Oracle partitioned_data(const Problem& problem, Sampling sampling);

}  // namespace terse::problems
